"""How a run scales: a simulation with virtual clocks. No GPU, no video, no Ray.

Videos are handed out by the run's own `Schedule`; workers and decoders "sleep" for what decoding, the vision
tower and the language model are expected to take. What that is, and what is left out, stands in ASSUMPTIONS,
in the results file and in docs/scaling.md, whose table and plot this writes.

    python benchmarks/scale.py      # results/benchmarks/scale.json, docs/scaling.md, docs/scaling.svg
"""

from __future__ import annotations

import heapq
import itertools
import random
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import click

from sf_eval.core import files
from sf_eval.core.cards import card_for
from sf_eval.harness.distributed.schedule import Schedule
from sf_eval.harness.distributed.work import VideoWork
from sf_eval.inference import Question, QuestionKey
from sf_eval.profiler.cost.question import cost_of_question

OUT = Path("results/benchmarks/scale.json")
PAGE = Path("docs/scaling.md")
PLOT = Path("docs/scaling.svg")
GPUS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
DECODERS = (4, 8, 16, 32, 64)
GPUS_OF_A_MACHINE = 8
MODEL = "slowfast-7b-64f"
SEED = 0
Policy = Literal["questions", "static", "dynamic"]
POLICIES: tuple[Policy, ...] = ("questions", "static", "dynamic")

# A GPU: an H100's dense 16-bit peak (NVIDIA's data sheet) at 40%; a decoding step reads all weights once, at
# 60% of the data sheet's bandwidth.
FLOPS = 0.40 * 989.4e12
BYTES_PER_S = 0.60 * 3.35e12
MARKUP, TEXT, NEW_TOKENS = 14, 114, 2
# A decoder: one core. By seeking, 64 frames of 360p took 1.27 s of a 5-minute and 1.68 s of a 30-minute clip;
# of 720p and 10 minutes 4.54 s, 3.36 times the line through the two. Resizing a picture takes 40 ms.
SEEK_S, SEEK_S_PER_S, HD = 1.19, 0.00027, 3.36
RESIZE_S = 0.040
SHORT_CLIP_FRAMES_PER_S = 2.0

ASSUMPTIONS = (
    f"{MODEL} on H100s: FLOPs of the closed form at 40% of 989 TFLOP/s; a decoding step reads the weights at "
    f"60% of 3.35 TB/s; {TEXT} tokens of text, of which {MARKUP} before the video; {NEW_TOKENS} new tokens.",
    "A decoder is one core: 720p H.264 by seeking, (1.19 s + 0.27 ms per second of video) x 3.36 for 64 "
    "frames, less in proportion for clips that have fewer (2 frames a second), and 40 ms to resize a frame.",
    "Questions per video are the benchmarks' own; lengths are drawn evenly within the groups that their "
    "papers describe (seed 0), since the true ones are in files that are not here.",
    f"Decoders are counted for each machine of {GPUS_OF_A_MACHINE} GPUs, or fewer where there are fewer. "
    "Pictures travel at no cost, models are loaded already, nobody dies, and no two videos differ in "
    "resolution or codec. A GPU takes one video after the other.",
    "dynamic: the run's own schedule, longest first, decoders shared by all. static: videos dealt out "
    "beforehand in the file's order, decoders too. questions alone: what lmms-eval's sharding does with a "
    "model that shares nothing: each question by itself, its video decoded, encoded and prefilled anew.",
)


@dataclass(frozen=True)
class Video:
    """One video of a benchmark, and how many questions ask about it."""

    seconds: float
    questions: int

    @property
    def frames(self) -> int:
        return max(1, min(FRAMES, round(self.seconds * SHORT_CLIP_FRAMES_PER_S)))

    @property
    def decode_s(self) -> float:
        share = self.frames / FRAMES
        return (SEEK_S + SEEK_S_PER_S * self.seconds) * HD * share + RESIZE_S * self.frames


@dataclass(frozen=True)
class Group:
    """Videos of a benchmark whose lengths lie between two limits, in seconds.

    Attributes:
        questions: about all of them; dealt out as evenly as they can be.
    """

    videos: int
    questions: int
    shortest: float
    longest: float


# Counts as in tasks/ and in the papers; lengths as the papers group them.
BENCHMARKS: dict[str, tuple[Group, ...]] = {
    "videomme": (Group(300, 900, 11, 120), Group(300, 900, 240, 900), Group(300, 900, 1800, 3600)),
    "mlvu": (Group(1122, 2174, 180, 1620),),
    "mvbench": (Group(3641, 4000, 5, 35),),
    "egoschema": (Group(5031, 5031, 180, 180),),
    "longvideobench": (
        Group(107, 189, 8, 15), Group(97, 172, 15, 60), Group(232, 412, 180, 600), Group(317, 564, 900, 3600),
    ),
    "nextqa": (Group(1000, 8600, 10, 80),),
}  # fmt: skip

CARD = card_for(MODEL)
FRAMES = CARD.num_frames


@dataclass(frozen=True)
class GpuCosts:
    """Seconds of a GPU."""

    video_s: float
    question_s: float


@cache
def gpu_costs(frames: int) -> GpuCosts:
    """By the closed form: what is done once a video, and once a question."""
    before = cost_of_question(CARD, frames, MARKUP, 1)
    whole = cost_of_question(CARD, frames, TEXT, 1)
    parameters = 7.6e9 + 0.8e9  # the language model and the tower, in 16 bits; a step reads the first alone
    step_s = (parameters - 0.8e9) * 2 / BYTES_PER_S
    return GpuCosts(
        video_s=before.total_flops / FLOPS,
        question_s=(whole.total_flops - before.total_flops) / FLOPS + (NEW_TOKENS - 1) * step_s,
    )


@dataclass(frozen=True)
class Outcome:
    """What one simulated run came to.

    Attributes:
        decoders: of each machine.
        idle: share of all GPUs' time until the end in which they do nothing.
        decoders_idle: the same of the decoders.
        bound: what is at its limit: "decoding" or "GPUs", whichever is busier, if busy for 85% of the time;
            else "longest video" where one video takes half of the whole, else "balance".
    """

    benchmark: str
    policy: Policy
    gpus: int
    decoders: int
    makespan_s: float
    idle: float
    decoders_idle: float
    bound: str


@cache
def videos_of(benchmark: str) -> tuple[Video, ...]:
    """In an order as a file might have them: mixed, always the same."""
    generator = random.Random(f"{SEED} {benchmark}")
    videos = []
    for group in BENCHMARKS[benchmark]:
        few, more = divmod(group.questions, group.videos)
        for number in range(group.videos):
            seconds = generator.uniform(group.shortest, group.longest)
            videos.append(Video(seconds, few + (number < more)))
    generator.shuffle(videos)
    return tuple(videos)


def simulate(benchmark: str, policy: Policy, gpus: int, decoders: int) -> Outcome:
    """One run; `decoders` of each machine."""
    decoders_in_all = decoders * -(-gpus // GPUS_OF_A_MACHINE)
    videos: Sequence[Video] = videos_of(benchmark)
    costs = {frames: gpu_costs(frames) for frames in {video.frames for video in videos}}
    if policy == "questions":  # nothing is shared: each question is a video of its own
        videos = [Video(video.seconds, 1) for video in videos for _ in range(video.questions)]

    def gpu_s(video: Video) -> float:
        cost = costs[video.frames]
        return cost.video_s + video.questions * cost.question_s

    run = dynamic if policy == "dynamic" else dealt_out
    makespan = run(videos, gpu_s, gpus, decoders_in_all)
    busy, decoding = sum(map(gpu_s, videos)), sum(video.decode_s for video in videos)
    idle, decoders_idle = 1 - busy / (gpus * makespan), 1 - decoding / (decoders_in_all * makespan)
    longest = max(video.decode_s + gpu_s(video) for video in videos)
    bound = "balance"
    if max(1 - idle, 1 - decoders_idle) >= 0.85:
        bound = "GPUs" if idle < decoders_idle else "decoding"
    elif longest >= makespan / 2:
        bound = "longest video"
    return Outcome(benchmark, policy, gpus, decoders, makespan, idle, decoders_idle, bound)


def dealt_out(videos: Sequence[Video], gpu_s: Callable[[Video], float], gpus: int, decoders: int) -> float:
    """Seconds until the last is done where each worker has its own videos and its part of the decoders."""
    end = 0.0
    teams = min(gpus, decoders)  # where there are fewer decoders than workers, several workers share one
    for team in range(teams):
        free = [0.0] * (decoders // teams + (team < decoders % teams))
        heapq.heapify(free)
        workers = dict.fromkeys(range(team, gpus, teams), 0.0)
        rounds = itertools.zip_longest(*(videos[worker::gpus] for worker in workers))
        for worker, video in ((w, v) for row in rounds for w, v in zip(workers, row, strict=True) if v):
            decoded = heapq.heappop(free) + video.decode_s
            heapq.heappush(free, decoded)
            workers[worker] = max(workers[worker], decoded) + gpu_s(video)
        end = max([end, *workers.values()])
    return end


def dynamic(videos: Sequence[Video], gpu_s: Callable[[Video], float], gpus: int, decoders: int) -> float:
    """Seconds until the last is done where the run's schedule hands videos out as they are decoded."""
    order = sorted(videos, key=lambda video: -(video.decode_s + gpu_s(video)))
    work = [_as_work(number, video) for number, video in enumerate(order)]
    schedule = Schedule(work, workers=gpus, videos_ahead=2, questions_ahead=1)
    ready: set[int] = set()
    in_hand: list[deque[VideoWork]] = [deque() for _ in range(gpus)]
    hungry = deque(range(gpus))
    events: list[tuple[float, int, int, int]] = []  # when, which of equals, worker or -1, video
    is_hungry = [True] * gpus
    tie = itertools.count()
    begun, running, waiting = 0, 0, 0  # of decoding; waiting: decoded or being decoded, not handed out

    def decode(now: float) -> Iterator[tuple[float, int, int, int]]:
        nonlocal begun, running, waiting
        while begun < len(order) and running < decoders and waiting < decoders + gpus:
            yield now + order[begun].decode_s, next(tie), -1, begun
            begun, running, waiting = begun + 1, running + 1, waiting + 1

    def feed(now: float) -> Iterator[tuple[float, int, int, int]]:
        """Whoever has room takes the next that is decoded."""
        nonlocal waiting
        for _ in range(len(hungry)):
            worker = hungry.popleft()
            while (video := schedule.next_for(worker, ready)) is not None:
                ready.discard(video.number)
                waiting -= 1
                in_hand[worker].append(video)
                if len(in_hand[worker]) == 1:
                    yield now + gpu_s(order[video.number]), next(tie), worker, video.number
            is_hungry[worker] = len(in_hand[worker]) < 2
            if is_hungry[worker]:
                hungry.append(worker)
            if not ready:
                return

    for event in decode(0.0):
        heapq.heappush(events, event)
    now = 0.0
    while events:
        now, _, worker, number = heapq.heappop(events)
        if worker < 0:
            running -= 1
            ready.add(number)
        else:
            schedule.answered(worker, work[number].questions[0].key)
            in_hand[worker].popleft()
            if in_hand[worker]:
                following = in_hand[worker][0].number
                heapq.heappush(events, (now + gpu_s(order[following]), next(tie), worker, following))
            if not is_hungry[worker]:
                is_hungry[worker] = True
                hungry.append(worker)
        for event in itertools.chain(list(feed(now)), list(decode(now))):
            heapq.heappush(events, event)
    assert schedule.open_videos == 0
    return now


def _as_work(number: int, video: Video) -> VideoWork:
    """For the schedule one question stands for all of a video."""
    return VideoWork(number, None, (Question(QuestionKey("simulated", number), None, "", 1),), video.decode_s)


def table(outcomes: Sequence[Outcome]) -> str:
    """A benchmark a row: minutes and idle GPUs where it is run as it comes, and where it is run well."""
    found = {(o.benchmark, o.policy, o.gpus, o.decoders): o for o in outcomes}
    lines = [
        "| benchmark | GPUs | decoders a machine | questions alone | static | dynamic | idle, static "
        "| idle, dynamic | limited by |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for benchmark in BENCHMARKS:
        for gpus in (1, 8, 64, 256):
            for decoders in (16, 64):
                one = {policy: found[benchmark, policy, gpus, decoders] for policy in POLICIES}
                minutes = " | ".join(_time(one[policy].makespan_s) for policy in POLICIES)
                idle = " | ".join(f"{100 * one[policy].idle:.0f}%" for policy in POLICIES[1:])
                lines.append(
                    f"| {benchmark} | {gpus} | {decoders} | {minutes} | {idle} | {one['dynamic'].bound} |"
                )
    return "\n".join(lines)


def moves() -> str:
    """How many decoders a GPU needs, and from how many GPUs on more of them gain nothing."""
    lines = [
        "| benchmark | decode, s a video | GPU, s a video | decoders that keep a GPU busy "
        "| GPUs that 64 decoders keep busy |",
        "|---|---:|---:|---:|---:|",
    ]
    for benchmark in BENCHMARKS:
        videos = videos_of(benchmark)
        decode = sum(video.decode_s for video in videos) / len(videos)
        gpu = 0.0
        for video in videos:
            cost = gpu_costs(video.frames)
            gpu += (cost.video_s + video.questions * cost.question_s) / len(videos)
        lines.append(
            f"| {benchmark} | {decode:.2f} | {gpu:.2f} | {decode / gpu:.0f} | {64 * gpu / decode:.0f} |"
        )
    return "\n".join(lines)


def _time(seconds: float) -> str:
    if seconds < 300:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def plot(outcomes: Sequence[Outcome], path: Path) -> None:
    """Minutes over GPUs, a panel a benchmark, a line a number of decoders; dotted: static."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "scale"
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 3, figsize=(10, 6), sharex=True, layout="constrained")
    for panel, benchmark in zip(panels.flat, BENCHMARKS, strict=True):
        for place, decoders in enumerate(DECODERS):
            for policy, style in (("dynamic", "-"), ("static", ":")):
                line = [
                    o
                    for o in outcomes
                    if (o.benchmark, o.policy, o.decoders) == (benchmark, policy, decoders)
                ]
                panel.plot(
                    [o.gpus for o in line],
                    [o.makespan_s / 60 for o in line],
                    style,
                    color=f"C{place}",
                    label=f"{decoders} decoders a machine" if policy == "dynamic" else None,
                )
        panel.set(xscale="log", yscale="log", title=benchmark)
        panel.set_xticks(GPUS, [str(count) for count in GPUS], minor=False)
        panel.tick_params(axis="x", which="minor", length=0)
    figure.supxlabel("GPUs (solid: dynamic, dotted: static)")
    figure.supylabel("simulated minutes")
    panels.flat[0].legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})


def write_page(outcomes: Sequence[Outcome], page: Path) -> None:
    """Replace what stands between the marks of `page`."""
    parts = {
        "simulation": "\n".join(f"- {line}" for line in ASSUMPTIONS),
        "bottleneck": moves(),
        "table": table(outcomes),
    }
    text = page.read_text(encoding="utf-8")
    for name, made in parts.items():
        mark = re.compile(rf"(<!-- scale:{name} -->\n).*?(<!-- /scale:{name} -->)", re.DOTALL)
        text, count = mark.subn(lambda match, made=made: f"{match[1]}{made}\n{match[2]}", text)  # type: ignore[misc]
        assert count == 1, f"{page} has no place for {name}"
    files.write_text(page, text)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
@click.option("--page", type=click.Path(path_type=Path), default=PAGE, show_default=True)
@click.option("--plot", "picture", type=click.Path(path_type=Path), default=PLOT, show_default=True)
def main(out: Path, page: Path, picture: Path) -> None:
    """Simulate runs of the real benchmarks on 1 to 256 GPUs; write the results, the table and the plot."""
    outcomes = [
        simulate(benchmark, policy, gpus, decoders)
        for benchmark in BENCHMARKS
        for policy in POLICIES
        for gpus in GPUS
        for decoders in DECODERS
    ]
    files.write_json(
        out,
        {
            "schema_version": 1,
            "simulated": True,
            "model": MODEL,
            "seed": SEED,
            "assumptions": list(ASSUMPTIONS),
            "runs": [asdict(outcome) for outcome in outcomes],
        },
    )
    plot(outcomes, picture)
    write_page(outcomes, page)
    click.echo(moves())


if __name__ == "__main__":
    main()
