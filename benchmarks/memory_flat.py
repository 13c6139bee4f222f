"""Does a long run stay within the memory it began with? 10,000 questions through the engine.

    python benchmarks/memory_flat.py                      # 10,000 questions about 2,500 clips
    python benchmarks/memory_flat.py --questions 2000

A tiny model with random weights, and a few tiny mp4 files under many names: to the pool and the engine each
name is a clip of its own, and one in a hundred is missing, which is remembered too. This process's resident
memory, and that of its decoders, is noted while the questions are answered; the first tenth warms up.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sf_eval.core import files, provenance
from sf_eval.core.cards import card_for
from sf_eval.inference import Answer, Failure, Question, QuestionKey, machine
from sf_eval.inference.engine import Engine
from sf_eval.inference.families.slow_fast import SlowFastVideoModel
from sf_eval.model.loading import LoadedModel, count_parameters
from sf_eval.profiler.measured.clip import render
from sf_eval.profiler.measured.pipeline import make_model
from sf_eval.profiler.measured.prompts import CountedPrompts
from sf_eval.video import Clip, ClipPool, SamplingRule

OUT = Path("results/benchmarks/memory_flat.json")
_PER_VIDEO, _FRAMES, _MISSING_EACH, _NOTED = 4, 4, 100, 20
_TINY: dict[str, Any] = {
    "vocab_size": 128, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "mm_video_pooling_stride": 2,
    "mm_projector_type": "mlp2x_gelu", "min_fast_frames": 2, "fast_token_temporal_stride": 2,
    "fast_token_temporal_sampling_stride": 1, "fast_token_spatial_stride": 1, "cross_attn_every_n_layers": 2,
    "cross_attn_implementation": "text-only-vanilla", "cross_attn_gating_type": "whole-dynamic-tanh-warmup",
    "vision_config": {"depths": [1, 1, 1, 1], "hidden_sizes": [4, 6, 8, 12], "image_size": 64},
}  # fmt: skip


@dataclass(frozen=True)
class Note:
    """Resident bytes once so many questions were done."""

    questions: int
    process_bytes: int
    decoders_bytes: int


def main() -> int:
    asked = _arguments()
    torch.set_num_threads(1)
    model = _model()
    notes: list[Note] = []
    counts = {"answers": 0, "failures": 0}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="sf-eval-flat-") as folder:
        clips = _clips(Path(folder), -(-asked.questions // _PER_VIDEO))
        with ClipPool(SamplingRule("uniform", _FRAMES), decoders=asked.decoders, resize=model.resize) as pool:
            engine = Engine(model, pool, batch_size=8)
            every = max(1, asked.questions // _NOTED)
            for done, result in enumerate(engine.answer(_questions(clips, asked.questions)), start=1):
                counts["answers"] += isinstance(result, Answer)
                counts["failures"] += isinstance(result, Failure)
                if done % every == 0:
                    gc.collect()
                    decoders = sum(map(_resident, pool.worker_pids()))
                    notes.append(Note(done, _resident("self"), decoders))
                    print(_line(notes[-1]), flush=True)
    warm = notes[len(notes) // 10]
    grown = notes[-1].process_bytes - warm.process_bytes
    files.write_json(
        asked.out,
        {
            "schema_version": 1,
            "command": f"python benchmarks/memory_flat.py {' '.join(sys.argv[1:])}".strip(),
            "questions": asked.questions,
            "clips": len(clips),
            **counts,
            "decoders": asked.decoders,
            "seconds": round(time.perf_counter() - start, 1),
            "after_warm_up_bytes": warm.process_bytes,
            "at_the_end_bytes": notes[-1].process_bytes,
            "grown_bytes": grown,
            "grown_bytes_per_question": round(grown / (notes[-1].questions - warm.questions), 1),
            "notes": [vars(note) for note in notes],
            "machine": machine.describe(torch.device("cpu")),
            "versions": provenance.versions(),
            "git_commit": provenance.git_commit(),
        },
    )
    print(f"Grown by {grown / 1e6:.1f} MB after question {warm.questions:,}. Written: {asked.out}")
    return 0


def _model() -> SlowFastVideoModel:
    model = make_model(_TINY, torch.device("cpu"), torch.float32, "sdpa")
    processor = CountedPrompts(tokens=24, before_video=14, vocab_size=128, image_size=64)
    return SlowFastVideoModel(
        LoadedModel(model, processor, card_for("mini"), "", "", count_parameters(model))
    )


def _clips(folder: Path, count: int) -> list[Clip]:
    """So many names; most are links to one of three videos of 2 to 8 seconds, some lead nowhere."""
    videos = []
    for number, frames in enumerate((48, 96, 192)):
        videos.append(folder / f"video {number}.mp4")
        render(videos[-1], frames)
    clips = []
    for number in range(count):
        path = folder / f"clip {number}.mp4"
        if number % _MISSING_EACH:
            path.symlink_to(videos[number % len(videos)])
        clips.append(Clip(path))
    return clips


def _questions(clips: list[Clip], count: int) -> Iterator[Question]:
    for number in range(count):
        yield Question(QuestionKey("flat", number), clips[number // _PER_VIDEO], "", 2)


def _resident(process: int | str) -> int:
    """Bytes of a process's resident memory; 0 where it is gone."""
    try:
        for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _line(note: Note) -> str:
    return (
        f"{note.questions:6,} questions: {note.process_bytes / 1e6:7.1f} MB, "
        f"decoders {note.decoders_bytes / 1e6:7.1f} MB"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--decoders", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
