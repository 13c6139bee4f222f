"""What of decoding with CUDA graphs a CPU can hold: keys and values written in place give the same tokens."""

from __future__ import annotations

import torch

from benchmarks.gpu.graphs import make_room, rewind
from benchmarks.gpu.workload import build


def test_a_cache_with_room_decodes_as_one_that_grows() -> None:
    work = build(True, torch.device("cpu"))
    with torch.no_grad(), work.pipeline.set_to(work.slow_fast):
        features = work.random_features(work.slow_fast, 32)
        ask = work.ask(work.slow_fast, 32)

        def logits(roomy: bool) -> list[torch.Tensor]:
            first, cache = work.pipeline.prefill(ask, [features])
            length = cache.get_seq_length()
            if roomy:
                make_room(cache, 8)
                work.pipeline.decode_tokens(first, cache, 3)
                rewind(cache, length)
            outputs = []
            for _ in range(5):
                output = work.pipeline.model(input_ids=first, past_key_values=cache, use_cache=True)
                first = output.logits[:, -1:].argmax(-1)
                outputs.append(output.logits)
            assert cache.get_seq_length() == length + 5
            return outputs

        for grown, written in zip(logits(False), logits(True), strict=True):
            assert torch.equal(grown, written)


def test_bytes_of_a_step_are_those_of_the_weights_it_reads() -> None:
    work = build(True, torch.device("cpu"))
    model = work.pipeline.model
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
