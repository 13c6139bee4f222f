"""Two processes that share a model by FSDP2, layer by layer; run by test_placement.py. Prints what held."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

from sf_eval.model import SlowFastForConditionalGeneration

IDS = torch.tensor([[5, 6, -200, 7, 8, 9], [5, -200, 7, 8, 9, 4]])


def load(assets: str) -> SlowFastForConditionalGeneration:
    case = Path(assets) / "recorded" / "model" / "s1t4_f8"
    return SlowFastForConditionalGeneration.from_pretrained(case, dtype=torch.float32)


def learn(model: SlowFastForConditionalGeneration, videos: list[torch.Tensor]) -> torch.Tensor:
    loss = model(input_ids=IDS, pixel_values_videos=videos, labels=IDS.clamp(min=0)).loss
    loss.backward()
    return loss.detach()


def process(rank: int, rendezvous: str, assets: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    videos = [torch.randn(n, 3, 128, 128, generator=torch.Generator().manual_seed(n)) for n in (8, 3)]
    whole, sharded = load(assets), load(assets)
    mesh = init_device_mesh("cpu", (2,))
    for layer in sharded.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(sharded, mesh=mesh)
    register_fsdp_forward_method(sharded, "generate")
    losses = [learn(model.train(), videos) for model in (whole, sharded)]
    assert torch.equal(*losses), losses
    wanted = dict(whole.named_parameters())
    for name, weight in sharded.named_parameters():
        torch.testing.assert_close(
            weight.grad.full_tensor(), wanted[name].grad, atol=1e-6, rtol=1e-5, msg=name
        )
    with torch.no_grad():
        for model in (whole, sharded):
            model.eval()
        steps = []
        for model in (whole, sharded):
            prompt = model(input_ids=IDS, pixel_values_videos=videos)
            steps.append(model(input_ids=IDS[:, :1], past_key_values=prompt.past_key_values).logits)
        assert torch.equal(*steps)
        answers = [
            model.generate(IDS, pixel_values_videos=videos, max_new_tokens=3) for model in (whole, sharded)
        ]
        assert torch.equal(*answers)
    print(f"equal:{rank}\n", end="", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        # Forked, so that the libraries are imported once.
        mp.start_processes(process, args=(f"{folder}/store", sys.argv[1]), nprocs=2, start_method="fork")
