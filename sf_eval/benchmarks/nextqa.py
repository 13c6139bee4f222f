"""What both parts of NExT-QA, multiple choice and open-ended, have in common: one copy of the videos."""

from __future__ import annotations

from sf_eval.benchmarks.document import MediaRef
from sf_eval.benchmarks.layout import HubLayout
from sf_eval.benchmarks.rows import RowReader

HUB_ID = "lmms-eval/NExTQA"
LICENCE = "not stated by the dataset's card; the videos are from YFCC-100M, each with its own terms"
# A public listing shows MC/, OE/ and videos.zip (6.5 GB); that it unpacks to NExTVideo/*.mp4 is how
# lmms-eval's task looks for them.
LAYOUT = HubLayout(("videos*.zip",), media=())
_PLACES = ("NExTVideo/", "videos/", "")
_SUFFIXES = (".mp4", ".MP4")


def media_of(reader: RowReader) -> tuple[str, MediaRef]:
    """A row's video, and where it may lie.

    Raises:
        DataError: its name is not that of a plain file.
    """
    video = reader.file_name("video")
    return video, MediaRef(tuple(f"{place}{video}{suffix}" for place in _PLACES for suffix in _SUFFIXES))
