"""How each benchmark's repository on the Hub is laid out: what holds the media, and where it goes.

Which files hold the questions is said by `Benchmark.annotation_files`. None of the repositories could be
opened while this was written. Each entry says how its layout is known: "guides" are public download guides
and scripts, "assumed" is a guess that fits them. `docs/fetching.md` has the whole account. A layout that does
not fit ends in an error that lists what the repository has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from sf_eval.benchmarks.document import Benchmark

_MEDIA = ("*.mp4", "*.MP4", "*.mkv", "*.webm", "*.avi", "*.mov", "*.srt")


@dataclass(frozen=True)
class HubLayout:
    """What of a repository's media is wanted, and where it goes below the benchmark's folder.

    In the globs, `*` also crosses folders, and capitals are told apart.

    Attributes:
        archives: globs of archives (or parts of them) that are unpacked. Where there are globs of archives or
            media, at least one file must match.
        media: globs of media files that lie in the repository as they are; they keep their path.
        unpack_into: subfolder that archives are unpacked into; "" is the benchmark's folder itself.
        note: what the user must know, e.g. of media that no repository may hold; shown after a fetch.
    """

    archives: tuple[str, ...]
    media: tuple[str, ...] = ()
    unpack_into: str = ""
    note: str = ""


# Guides: subtitle.zip holds subtitle/*.srt; videos_chunked_01.zip to _20.zip hold data/*.mp4.
_VIDEOMME = HubLayout(("videos_chunked_*.zip", "subtitle*.zip"))

# Guides: video_part_1.zip to video_part_8.zip, 285 GB together. Assumed: what is in them lies where
# `video_name` says, from the top.
_ANY = HubLayout(("*.zip", "*.zip.*", "*.tar*", "*.tgz*"), media=_MEDIA)

# Guides: video/{FunQA_test,Moments_in_Time_Raw,clevrer,data0613,perception,scene_qa,ssv2_video,sta,star,tvqa,
# vlnqa}.zip, each holding a folder of its own name. NTU RGB+D's licence keeps its clips out.
_MVBENCH = HubLayout(("video/*.zip",))
_NTU_NOTE = (
    "MVBench's fine_grained_pose uses NTU RGB+D clips, whose licence keeps them out of the repository: "
    "ask for them at their owners and put them into nturgbd/ in this folder."
)

# Guides: videos_chunked_01.zip to _05.zip hold videos/*.mp4.
_EGOSCHEMA = HubLayout(("videos_chunked_*.zip",))

# Guides: videos.tar.part.aa to .be (31 parts of 5.2 GB), which hold videos/*.mp4; subtitles.tar (one guide:
# .zip), which holds subtitles/*.json.
_LONGVIDEOBENCH = HubLayout(("videos.tar*", "videos.zip*", "subtitles.tar", "subtitles.zip"))

_LAYOUTS = {
    "videomme": _VIDEOMME,
    "videomme_w_subtitle": _VIDEOMME,
    "mlvu": _ANY,
    "mlvu_test": _ANY,  # assumed; the original test set is one tar.gz in parts, which works too
    "mvbench": _MVBENCH,
    "egoschema": _EGOSCHEMA,
    "egoschema_subset": _EGOSCHEMA,
    "longvideobench": _LONGVIDEOBENCH,
}

# Which archives an MVBench subtask needs, as public scripts have it; data0613.zip holds a few clips that
# star.zip and clevrer.zip lack. A subtask that is not here needs all of them.
_MVBENCH_ARCHIVES = {
    "action_antonym": ("ssv2_video",),
    "action_count": ("perception",),
    "action_localization": ("sta",),
    "action_prediction": ("star", "data0613"),
    "action_sequence": ("star", "data0613"),
    "character_order": ("perception",),
    "counterfactual_inference": ("clevrer", "data0613"),
    "egocentric_navigation": ("vlnqa",),
    "episodic_reasoning": ("tvqa",),
    "fine_grained_action": ("Moments_in_Time_Raw",),
    "moving_attribute": ("clevrer", "data0613"),
    "moving_count": ("clevrer", "data0613"),
    "moving_direction": ("clevrer", "data0613"),
    "object_existence": ("clevrer", "data0613"),
    "object_interaction": ("star", "data0613"),
    "object_shuffle": ("perception",),
    "scene_transition": ("scene_qa",),
    "state_change": ("perception",),
    "unexpected_action": ("FunQA_test",),
}


def layout_of(benchmark: Benchmark) -> HubLayout:
    """The layout of `benchmark`'s repository; one without an entry may hold archives or media anywhere."""
    if benchmark.group == "mvbench":
        layout = _mvbench_member(benchmark.name.removeprefix("mvbench_"))
    else:
        layout = _LAYOUTS.get(benchmark.name, _ANY)
    return replace(layout, unpack_into=benchmark.media_root)


def _mvbench_member(subtask: str) -> HubLayout:
    if subtask == "fine_grained_pose":
        return HubLayout((), note=_NTU_NOTE)
    names = _MVBENCH_ARCHIVES.get(subtask)
    return HubLayout(tuple(f"video/{name}.zip" for name in names)) if names else _MVBENCH


def matches(path: str, globs: tuple[str, ...]) -> bool:
    """Whether the repository path fits one of a layout's globs."""
    return any(fnmatchcase(path, glob) for glob in globs)


def annotation_paths(benchmark: Benchmark, paths: Iterable[str]) -> list[str]:
    """Which of a repository's files hold the questions: all that the first glob of `annotation_files` with a
    match matches, which is how `sf_eval.data.opening` finds them in a folder."""
    listed = sorted(paths)
    for glob in benchmark.annotation_files:
        if found := [path for path in listed if _matches_parts(path, glob)]:
            return found
    return []


def _matches_parts(path: str, glob: str) -> bool:
    parts, wanted = path.split("/"), glob.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
