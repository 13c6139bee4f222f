"""Whether an opened benchmark has everything that its questions need beside the videos.

A video that is not there fails its own questions, and a run says so. A subtitle file that is not there looks
like a video without subtitles, and half a folder of frames like a short video: neither may pass in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sf_eval.benchmarks.subtitles import read_srt
from sf_eval.core.errors import DataError
from sf_eval.data.hub import manifest as manifests
from sf_eval.data.hub.plan import plan
from sf_eval.data.opened import OpenBenchmark


@dataclass(frozen=True)
class SubtitleFiles:
    """The subtitles of a benchmark's videos.

    Attributes:
        videos: how many videos should have them.
        found: the files that are there.
        bad: those of them that cannot be read, each with the reason.
    """

    videos: int
    found: tuple[Path, ...]
    bad: tuple[tuple[Path, str], ...]


def fetch_command(opened: OpenBenchmark) -> str:
    """The command that completes the data of `opened`."""
    command = f"sf-eval data fetch --tasks {opened.benchmark.name}"
    if opened.source.kind == "directory":
        is_named = opened.folder.name == (opened.benchmark.folder or opened.benchmark.name)
        return f"{command} --to {opened.folder.parent if is_named else opened.source.root}"
    return f"{command} --revision {opened.source.revision}" if opened.source.revision else command


def unfinished_units(opened: OpenBenchmark) -> list[str]:
    """What of the benchmark's annotations and media a fetch began and did not complete.

    Nothing where the folder was not made by a fetch. What was never asked for (`--annotations-only`) is not
    listed: it may have been put there by hand.

    Raises:
        DataError: the manifest is damaged.
    """
    manifest = manifests.load(opened.folder)
    if manifest is None or all(manifest.units.values()):
        return []
    unfinished = [name for name, complete in manifest.units.items() if not complete]
    try:
        needed = {unit.name for unit in plan([opened.benchmark], manifest, annotations_only=False)}
    except DataError:  # the manifest does not tell which units are whose
        return unfinished
    return [name for name in unfinished if name in needed]


def subtitle_files(opened: OpenBenchmark) -> SubtitleFiles:
    """Look for, and look into, the subtitles of every video; none where the benchmark shows none.

    Raises:
        UnsafePathError: a row names a path that it must not.
    """
    by_video = {
        document.subtitles: number for number, document in enumerate(opened.documents) if document.subtitles
    }
    found, bad = [], []
    for number in by_video.values():
        if (path := opened.subtitle_path(opened.documents[number])) is None:
            continue
        found.append(path)
        try:
            read_srt(path)
        except DataError as error:
            bad.append((path, error.message))
    return SubtitleFiles(len(by_video), tuple(found), tuple(bad))


def require_complete(opened: OpenBenchmark) -> None:
    """Refuse data that would give a wrong score in silence.

    Raises:
        DataError: a fetch of what the benchmark needs was not completed, no video has subtitles where the
            benchmark shows them, or a subtitle file cannot be read.
    """
    name, command = opened.benchmark.name, fetch_command(opened)
    if unfinished := unfinished_units(opened):
        others = f" and {len(unfinished) - 3} others" if len(unfinished) > 3 else ""
        raise DataError(
            f"{opened.folder} is not completely fetched: {name} needs {', '.join(unfinished[:3])}{others}.",
            hint=f"Complete it: {command}",
        )
    subtitles = subtitle_files(opened)
    if subtitles.videos and not subtitles.found:
        wanted = next(document.subtitles for document in opened.documents if document.subtitles)
        raise DataError(
            f"{name}: not one of {subtitles.videos} videos has subtitles; the first were looked for at "
            f"{opened.media_root / str(wanted)}.",
            hint=f"Fetch them ({command}), or take the benchmark without subtitles.",
        )
    if subtitles.bad:
        others = f" {len(subtitles.bad) - 1} more are damaged." if len(subtitles.bad) > 1 else ""
        raise DataError(
            f"{name}: {subtitles.bad[0][1]}{others}",
            hint="Fetch them again, or take them away: a video without the file has no subtitles. "
            "sf-eval doctor lists all.",
        )
