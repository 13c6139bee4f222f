"""Does a long run stay within the memory it began with? 10,000 questions through the engine.

    python benchmarks/memory_flat.py                      # 10,000 questions about 2,500 clips
    python benchmarks/memory_flat.py --questions 2000

The embedded mini model with its own number of frames, asked the questions of mini Video-MME about films of
five seconds to an hour. The films are few and have many names: to the pool and the engine each name is a clip
of its own, and one in a hundred is missing, which is remembered too. This process's resident memory, and that
of its decoders, is noted while the questions are answered; the first tenth, in which every film was decoded,
warms up.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.core import files, provenance
from sf_eval.core.cards import card_for
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import parse_source
from sf_eval.harness.batching import automatic_batch_size
from sf_eval.harness.decoding.cores import limit_threads
from sf_eval.inference import Answer, Failure, Question, QuestionKey, machine
from sf_eval.inference.engine import Engine
from sf_eval.inference.families import rule_of
from sf_eval.inference.families.slow_fast import SlowFastVideoModel
from sf_eval.model.loading import load_model
from sf_eval.video import Clip, ClipPool

OUT = Path("results/benchmarks/memory_flat.json")
_PER_VIDEO, _MISSING_EACH, _NOTED, _NEW_TOKENS = 4, 100, 20, 16
_WIDTH, _HEIGHT, _FPS, _GROUP = 160, 120, 25, 50
#: Seconds of the films, and how many of a hundred clips are each.
_FILMS = {5: 70, 60: 20, 600: 7, 3600: 3}


@dataclass(frozen=True)
class Note:
    """Resident bytes once so many questions were done."""

    questions: int
    process_bytes: int
    decoders_bytes: int


def main() -> int:
    asked = _arguments()
    card = card_for("mini")
    device = torch.device("cpu")
    limit_threads(device, asked.decoders)  # as `sf-eval run` does
    model = SlowFastVideoModel(load_model(card, device=device, dtype=torch.float32))
    notes: list[Note] = []
    counts = {"answers": 0, "failures": 0}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="sf-eval-flat-") as folder:
        lengths = _lengths(-(-asked.questions // _PER_VIDEO))
        clips = _clips(Path(folder), lengths)
        with ClipPool(rule_of(card), decoders=asked.decoders, resize=model.resize) as pool:
            engine = Engine(model, pool, batch_size=automatic_batch_size(model, card))
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
            "clips_of_seconds": {str(seconds): lengths.count(seconds) for seconds in _FILMS},
            "model": card.name,
            "frames": card.num_frames,
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


def _lengths(clips: int) -> list[int]:
    """Seconds of each clip: mixed, and every length among the first hundred."""
    hundred = [seconds for seconds, share in _FILMS.items() for _ in range(share)]
    random.Random(0).shuffle(hundred)
    return [hundred[number % 100] for number in range(clips)]


def _clips(folder: Path, lengths: Sequence[int]) -> list[Clip]:
    """A name for each of `lengths`, leading to a film so long; some lead nowhere."""
    minute = folder / "minute.mp4"
    _render(minute, min(60, max(lengths)))
    films = {}
    for seconds in set(lengths):
        films[seconds] = folder / f"film of {seconds} s.mp4"
        _repeat(minute, films[seconds], seconds)
    clips = []
    for number, seconds in enumerate(lengths):
        path = folder / f"clip {number}.mp4"
        if number % _MISSING_EACH != _MISSING_EACH - 1:
            path.symlink_to(films[seconds])
        clips.append(Clip(path))
    return clips


def _render(path: Path, seconds: int) -> None:
    """Noise that moves, H.264 with a key frame every two seconds."""
    noise = np.random.default_rng(0).integers(0, 255, (_HEIGHT, _WIDTH, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=_FPS, options={"preset": "veryfast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        stream.codec_context.gop_size = _GROUP
        for index in range(seconds * _FPS):
            picture = np.ascontiguousarray(np.roll(noise, index, axis=1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def _repeat(source: Path, path: Path, seconds: int) -> None:
    """The packets of `source` again and again, until there are `seconds` of them."""
    with av.open(str(source)) as given, av.open(str(path), "w") as container:
        stream = given.streams.video[0]
        out = container.add_stream_from_template(stream)
        packets = [packet for packet in given.demux(stream) if packet.size]
        each = round(1 / (_FPS * stream.time_base))
        # What is muxed must be a packet of its own: its times are its alone.
        for number in range(seconds * _FPS):
            source_packet = packets[number % len(packets)]
            packet = av.Packet(bytes(source_packet))
            packet.pts = packet.dts = number * each
            packet.time_base, packet.is_keyframe = stream.time_base, source_packet.is_keyframe
            packet.duration, packet.stream = each, out
            container.mux(packet)


def _questions(clips: list[Clip], count: int) -> Iterator[Question]:
    documents = open_benchmark(get_benchmark("videomme"), parse_source("mini")).documents
    for number in range(count):
        clip = clips[number // _PER_VIDEO]
        prompt = documents[number % len(documents)].prompt
        yield Question(QuestionKey("flat", number), clip, prompt, _NEW_TOKENS)


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
