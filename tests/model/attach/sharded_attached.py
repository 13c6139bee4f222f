"""Two processes that share an attached model by FSDP2; run by test_traps.py. Prints what held."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from tiny_families import FAMILIES, open_gates, tiny_model
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from sf_eval.model import attach_slow_path, load_slow_path, save_slow_path
from sf_eval.model.attach import slow_fast_inputs


def attached() -> Any:
    model = attach_slow_path(tiny_model("qwen2.5-vl"), layers=[0, 2], temporal_stride=2, spatial_stride=2)
    open_gates(model)
    return model


def process(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    whole, sharded = attached(), attached()
    with torch.no_grad():
        inputs = slow_fast_inputs(whole, FAMILIES["qwen2.5-vl"].batch())
    inputs["slow"].keep = False
    mesh = init_device_mesh("cpu", (2,))
    for layer in sharded.model.language_model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(sharded, mesh=mesh)
    with torch.no_grad():
        assert torch.equal(whole(**inputs).logits, sharded(**inputs).logits)
    for model in (whole, sharded):
        model.train()(**inputs, labels=inputs["input_ids"]).loss.backward()
    wanted = dict(whole.named_parameters())
    for name, weight in sharded.named_parameters():
        if weight.grad is not None:
            torch.testing.assert_close(
                weight.grad.full_tensor(), wanted[name].grad, atol=1e-5, rtol=1e-4, msg=name
            )
        else:
            assert wanted[name].grad is None, name
    place = Path(folder) / str(rank)
    save_slow_path(sharded, place)
    load_slow_path(tiny_model("qwen2.5-vl"), place)
    print(f"equal:{rank}\n", end="", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(process, args=(folder,), nprocs=int(sys.argv[1]))
