"""What of decoding with CUDA graphs a CPU can hold."""

from __future__ import annotations

import torch

from benchmarks.gpu.graphs import compile_small_kernels
from benchmarks.gpu.workload import build


def test_compiling_small_kernels_needs_few_graphs_and_changes_nothing() -> None:
    """A graph for each layer would go beyond torch's limit; that is an error here."""
    work = build(True, torch.device("cpu"))
    # Not by monkeypatch: what it puts back, torch then hides.
    few = torch._dynamo.config.patch(fail_on_recompile_limit_hit=True, recompile_limit=3)
    with few, torch.no_grad(), work.set_to(work.slow_fast):
        features = work.random_features(work.slow_fast, 32)
        first, cache = work.prefill(features)
        plain = work.decode_tokens(first, cache.fork(1, room=4), 4)
        compile_small_kernels(work.model, backend="eager")
        assert torch.equal(work.decode_tokens(first, cache.fork(1, room=4), 4), plain)
    compiled = [part for part in work.model.modules() if part._compiled_call_impl is not None]
    assert len(compiled) == 4 * 3, "two norms and an MLP a layer"


def test_bytes_of_a_step_are_those_of_the_weights_it_reads() -> None:
    work = build(True, torch.device("cpu"))
    model = work.model
    unread = sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if "vision_tower" in name or "mm_projector" in name or "cross_attn_kv_proj" in name
    )
    # The mini model's embeddings are its logits' matrix too, so they are read.
    everything = sum(parameter.numel() for parameter in model.parameters())
    assert work.weight_bytes() == 4 * (everything - unread)
    slow, plain = (work.decode_bytes(subject, 64) for subject in (work.slow_fast, work.baseline))
    assert slow > work.weight_bytes()
    assert plain > work.weight_bytes()
