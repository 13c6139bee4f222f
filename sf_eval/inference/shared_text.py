"""How much of their text prompts about one video share: instructions, and above all subtitles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sf_eval.inference.chunks import PASS_TOKENS

# Shared text is cut to a multiple of so many tokens: words that two questions begin with by chance would give
# every video's prefix another length, and only those of one length are prefilled together.
_STEP = 8


def shared_lengths(texts: Sequence[Sequence[int]], before: int) -> list[int]:
    """How many of each text's tokens belong into a prefix. Those that begin alike, so far, share it.

    All texts share what they all begin with. Texts that begin alike for longer get a prefix of their own
    where that saves more tokens than it costs: the video is then prefilled once more.

    Args:
        texts: ids of what stands after the video, of each prompt.
        before: tokens before that, the video's included.

    Returns:
        Less than each text's length: something is left to ask.
    """
    common = _common(texts)
    alike = defaultdict(list)
    for index, text in enumerate(texts):
        alike[tuple(text[common : common + _STEP])].append(index)
    lengths: dict[int, int] = {}
    for members in alike.values():
        own = _common([texts[index] for index in members])
        if len(members) * (own - common) > max(before + own, PASS_TOKENS):
            lengths |= dict.fromkeys(members, own)
    among_others = _common([text for index, text in enumerate(texts) if index not in lengths])
    return [lengths.get(index, among_others) for index in range(len(texts))]


def _common(texts: Sequence[Sequence[int]]) -> int:
    """Tokens that all begin with, in whole steps; 0 for a single text, which shares nothing."""
    if len(texts) < 2:
        return 0
    rows = [list(text) for text in texts]
    first, last = min(rows), max(rows)  # between these two lie all others
    most = max(min(map(len, rows)) - 1, 0)
    count = next((at for at in range(most) if first[at] != last[at]), most)
    return count - count % _STEP
