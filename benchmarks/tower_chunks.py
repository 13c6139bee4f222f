"""How many frames at a time does the embedded model's tower take fastest on this processor?

    python benchmarks/tower_chunks.py

128 frames in chunks of 16 to 128, in turn for so many rounds, on one thread; processor time, so that what
else the machine does counts for less. `sf_eval.inference.chunks` takes its bound from here.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch

from sf_eval.core import files, provenance
from sf_eval.core.cards import card_for
from sf_eval.inference import machine
from sf_eval.model.loading import load_model

OUT = Path("results/benchmarks/tower_chunks.json")
_FRAMES, _CHUNKS = 128, (16, 32, 48, 64, 96, 128)


@torch.inference_mode()
def main() -> int:
    asked = _arguments()
    torch.set_num_threads(1)
    loaded = load_model(card_for("mini"), dtype=torch.float32)
    side = loaded.processor.image_size
    pixels = torch.randn(_FRAMES, 3, side, side, generator=torch.Generator().manual_seed(0))
    seconds: dict[int, list[float]] = {chunk: [] for chunk in _CHUNKS}
    for _ in range(asked.rounds):
        for chunk, taken in seconds.items():
            started = time.process_time()
            for part in pixels.split(chunk):
                loaded.model.model.vision_tower(part)
            taken.append(time.process_time() - started)
    rows = [
        {
            "frames_at_once": chunk,
            "median_ms": round(1e3 * statistics.median(taken), 1),
            "least_ms": round(1e3 * min(taken), 1),
        }
        for chunk, taken in seconds.items()
    ]
    for row in rows:
        print(row)
    files.write_json(
        asked.out,
        {
            "schema_version": 1,
            "command": f"python benchmarks/tower_chunks.py {' '.join(sys.argv[1:])}".strip(),
            "frames": _FRAMES,
            "side": side,
            "rounds": asked.rounds,
            "rows": rows,
            "machine": machine.describe(torch.device("cpu")),
            "versions": provenance.versions(),
            "git_commit": provenance.git_commit(),
        },
    )
    print(f"Written: {asked.out}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
