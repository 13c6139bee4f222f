"""Checks a benchmark's data before a long run: what is missing, damaged, incomplete or not what it should be.

The library part of `sf-eval doctor`. Nothing is downloaded here, but for the annotations of a Hub source.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from sf_eval.benchmarks.document import Benchmark, Document
from sf_eval.core import paths
from sf_eval.core.errors import DataError
from sf_eval.data.checks import BadFile, CheckResult, Status, check_disk, check_libraries, would_fail
from sf_eval.data.completeness import fetch_command, subtitle_files
from sf_eval.data.examine import Finding, FindingKind, findings_of, of_videos
from sf_eval.data.hub import manifest
from sf_eval.data.hub import repository as hub
from sf_eval.data.hub.progress import human_size
from sf_eval.data.known_bad import known_bad, told
from sf_eval.data.opened import OpenBenchmark
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import DataSource
from sf_eval.editions.index import INDEX
from sf_eval.video import Clip, ClipPool, SamplingRule

__all__ = ["BadFile", "CheckResult", "check_benchmark", "check_disk", "check_libraries", "would_fail"]

Progress = Callable[[str, int, int], None]  # benchmark, videos done, videos in all


def check_benchmark(
    benchmark: Benchmark,
    source: DataSource,
    *,
    full: bool = False,
    rule: SamplingRule | None = None,
    timeout_s: float = 600.0,
    decoders: int = 1,
    progress: Progress | None = None,
) -> list[CheckResult]:
    """All checks of one benchmark, in the order in which a run would stumble over their faults.

    Args:
        full: decode every frame; compare digests instead of sizes.
        rule: the frames a run would take, decoded instead of the first, middle and last; with `full`, files
            that end early or are damaged, but not for this rule, are only warned of.
        timeout_s: limit for one video, in seconds.
        decoders: processes that decode at the same time.
        progress: told (benchmark, videos done, videos in all) while videos are decoded.
    """
    try:
        opened = open_benchmark(benchmark, source, fetch_media=False)
    except DataError as error:
        return [CheckResult("annotations", benchmark.name, "failure", str(error))]
    videos = len({document.video_id for document in opened.documents})
    found = f"{len(opened.documents)} questions about {videos} videos in {opened.folder}"
    results = [CheckResult("annotations", benchmark.name, "ok", found), check_counts(opened)]
    if manifested := check_manifest(opened, full=full):
        results.append(manifested)
    media, present = check_media(opened)
    results.append(media)
    if present:
        results.append(
            check_decoding(
                opened,
                present,
                full=full,
                rule=rule,
                timeout_s=timeout_s,
                decoders=decoders,
                progress=progress,
            )
        )
    if any(document.subtitles for document in opened.documents):
        results.append(check_subtitles(opened))
    return results


def check_download(benchmarks: Sequence[Benchmark], source: DataSource) -> CheckResult | None:
    """Whether what a run from the Hub would still download and unpack fits on the disk.

    None where it would download nothing. Call it after `check_benchmark`, which fetches the annotations.
    """
    if source.kind != "hub":
        return None
    try:
        room = hub.room_to_fetch(benchmarks, source.revision)
    except DataError:  # `check_benchmark` has said so for each of them
        return None
    return check_disk(paths.cache_dir() / "data", needed_bytes=room, what="download") if room else None


def check_counts(opened: OpenBenchmark) -> CheckResult:
    """Questions and videos against what the benchmark (or its mini edition) has."""
    benchmark, documents = opened.benchmark, opened.documents
    expected_questions, expected_videos = _expected(opened)
    videos = len({document.video_id for document in documents})
    wrong = [
        f"{have} {what} instead of {expected}"
        for what, have, expected in (
            ("questions", len(documents), expected_questions),
            ("videos", videos, expected_videos),
        )
        if expected is not None and have != expected
    ]
    if wrong:
        detail = f"{' and '.join(wrong)}: scores will not be comparable with others'"
        return CheckResult("counts", benchmark.name, "warning", detail)
    known = expected_questions is not None or expected_videos is not None
    detail = f"{len(documents)} questions, {videos} videos" + (
        "" if known else " (the real number is not known)"
    )
    return CheckResult("counts", benchmark.name, "ok", detail)


def _expected(opened: OpenBenchmark) -> tuple[int | None, int | None]:
    if not opened.is_mini:
        return opened.benchmark.expected_questions, opened.benchmark.expected_videos
    try:
        index = json.loads((opened.folder / INDEX).read_text(encoding="utf-8"))
        tables = [file.relative_to(opened.folder).as_posix() for file in opened.annotation_files]
        questions = sum(int(index["questions"][table]) for table in tables)
    except (OSError, ValueError, KeyError, TypeError):  # a copy that was changed
        return None, None
    return questions, None  # the index counts the videos of all subtasks or sets together


def check_manifest(opened: OpenBenchmark, *, full: bool) -> CheckResult | None:
    """Fetched data against its manifest: archives completely unpacked, sizes (and digests) right.

    None where the folder has no manifest, because the data was put there by hand.
    """
    name = opened.benchmark.name
    try:
        if manifest.load(opened.folder) is None:
            return None
        problems = manifest.verify(opened.folder, full=full)
    except DataError as error:
        return CheckResult("manifest", name, "failure", str(error))
    if problems:
        bad = tuple(BadFile(problem.path, problem.what) for problem in problems)
        detail = f"{len(problems)} files or archives differ: run sf-eval data fetch again"
        return CheckResult("manifest", name, "failure", detail, bad)
    compared = "sizes and digests" if full else "sizes"
    return CheckResult("manifest", name, "ok", f"everything fetched is in place ({compared})")


def check_media(opened: OpenBenchmark) -> tuple[CheckResult, dict[Path, list[Document]]]:
    """Whether every video exists; also returns those that do, with their questions.

    Videos whose archives were never fetched are counted, not listed.
    """
    name = opened.benchmark.name
    present: dict[Path, list[Document]] = {}
    try:
        missing = opened.missing_media()
        not_fetched = hub.bytes_to_fetch(opened.benchmark, opened.folder) if missing else None
        lost = {identifier for file in missing for identifier in file.document_ids}
        for document in opened.documents:
            if document.id not in lost:
                present.setdefault(opened.media_path(document), []).append(document)
    except DataError as error:  # a path that leaves the media folder
        return CheckResult("media", name, "failure", str(error)), {}
    detail = f"{len(missing)} of {len(missing) + len(present)} videos are missing ({len(lost)} questions)"
    if missing and not_fetched:
        detail = f"not fetched yet: {fetch_command(opened)} ({human_size(not_fetched)}); {detail}"
        return CheckResult("media", name, "failure", detail), present
    if missing:
        bad = tuple(
            BadFile(
                str(file.looked_at[0]),
                f"missing, needed by {len(file.document_ids)} questions; looked for "
                + ", ".join(str(place) for place in file.looked_at),
            )
            for file in missing
        )
        return CheckResult("media", name, "failure", detail, bad), present
    return CheckResult("media", name, "ok", f"{len(present)} videos are there"), present


def check_decoding(
    opened: OpenBenchmark,
    present: dict[Path, list[Document]],
    *,
    full: bool = False,
    rule: SamplingRule | None = None,
    timeout_s: float = 600.0,
    decoders: int = 1,
    progress: Progress | None = None,
) -> CheckResult:
    """Decode the first, middle and last frame, or those of `rule`, or all, of every video that is `present`.

    In processes that can be stopped. Also tells which videos are shown otherwise than their files state.
    """
    name = opened.benchmark.name
    clips = {Clip(path, fps=documents[0].media.fps): documents for path, documents in present.items()}
    findings: list[Finding] = []
    # One pool: its processes are killed where they hang, and a video known to be bad is not planned again.
    with ClipPool(rule or SamplingRule("published", 64), decoders=decoders, timeout_s=timeout_s) as pool:
        checked = pool.checked(clips, "full" if full else "rule" if rule else "ends")
        for done, (clip, outcome) in enumerate(checked, start=1):
            findings += findings_of(
                pool,
                clip,
                outcome,
                clips[clip],
                may_miss=full and rule is not None,
                known=partial(told, opened.benchmark),
            )
            if progress:
                progress(name, done, len(clips))
    frames = (
        "all frames" if full else "first, middle and last frame" if rule is None else "the model's frames"
    )
    if not findings:
        return CheckResult("decoding", name, "ok", f"{len(present)} videos decode ({frames})")
    bad = tuple(each.file for each in sorted(findings, key=lambda finding: finding.file.path))
    status: Status = "failure" if any(each.status == "failure" for each in findings) else "warning"
    detail = f"{of_videos(findings, len(present))}{_of_them_known(opened.benchmark, findings)} ({frames})"
    return CheckResult("decoding", name, status, detail, bad)


def _of_them_known(benchmark: Benchmark, findings: Sequence[Finding]) -> str:
    """How many of the damaged videos others could not read either; "" where none is damaged."""
    damaged = {each.file.path for each in findings if each.kind is FindingKind.damaged}
    known = sum(known_bad(benchmark, Path(path).name) is not None for path in damaged)
    return f", {known} of them known bad" if damaged else ""


def check_subtitles(opened: OpenBenchmark) -> CheckResult:
    """How many videos have subtitles; some of the real ones have none, but not all of them."""
    name = opened.benchmark.name
    try:
        subtitles = subtitle_files(opened)
    except DataError as error:
        return CheckResult("subtitles", name, "failure", str(error))
    detail = f"{len(subtitles.found)} of {subtitles.videos} videos have subtitles"
    if subtitles.bad:
        bad = tuple(BadFile(str(path), reason) for path, reason in subtitles.bad)
        return CheckResult("subtitles", name, "failure", f"{detail}; {len(bad)} are damaged", bad)
    if subtitles.found:
        return CheckResult("subtitles", name, "ok", detail)
    if opened.source.kind == "hub":
        return CheckResult("subtitles", name, "warning", "not fetched yet, as the videos")
    wanted = next(document.subtitles for document in opened.documents if document.subtitles)
    detail = f"{detail}; the first were looked for at {opened.media_root / str(wanted)}"
    return CheckResult("subtitles", name, "failure", detail)
