"""Pictures that an mp4 holds and its edit list does not show.

A file cut without coding it anew (`-c copy`) starts at a keyframe before the cut; its edit list hides what
comes before. The container goes on counting those pictures, so a rule that trusts its count wants frames that
never come out of the decoder. That is no damage: it is told from a cut-off file by reading the file twice,
with and without its edit list.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sf_eval.video.container import open_video


def hidden_frames(path: Path) -> int:
    """How many coded pictures the edit list leaves out; 0 for other containers. Nothing is decoded.

    Raises:
        VideoError: the file cannot be read.
    """
    with open_video(path) as (container, stream):
        stated = stream.frames
        if stated <= 0 or "mov" not in container.format.name.split(","):
            return 0
        shown = _whole_pictures(container, stream)
    if shown >= stated:
        return 0
    with open_video(path, ignore_editlist="1") as (container, stream):
        return max(_whole_pictures(container, stream) - shown, 0)


def hides_the_rest(path: Path, decoded: int) -> bool:
    """Whether the edit list explains why only `decoded` frames came out of a container that states more."""
    with open_video(path) as (_, stream):
        lacking = stream.frames - decoded
    return decoded > 0 and 0 < lacking <= hidden_frames(path)


def _whole_pictures(container: Any, stream: Any) -> int:
    # FFmpeg drops hidden groups of pictures from its index, and marks hidden pictures of a shown group.
    packets = (packet for packet in container.demux(stream) if packet.size)
    return sum(1 for packet in packets if not (packet.is_discard or packet.is_corrupt))
