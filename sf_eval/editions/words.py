"""What the words in the mini editions' open answers are kinds of: one small tree, for WUPS.

It is made for these videos alone, and says nothing of English: a score over it is never one over WordNet.
"""

from __future__ import annotations

_BROADER = {
    "warm": ("red", "orange", "yellow", "pink", "maroon", "brown"),
    "cold": ("blue", "cyan", "green", "navy", "teal", "pine", "plum", "olive"),
    "colourless": ("grey", "black", "white"),
    "colour": ("warm", "cold", "colourless"),
    "sideways": ("rightwards", "leftwards"),
    "vertical": ("upwards", "downwards"),
    "direction": ("sideways", "vertical"),
    "number": ("one", "two", "three", "four"),
    "shape": ("disc", "arrow", "bar"),
    "thing": ("colour", "direction", "number", "shape"),
}

#: Word to what it is a kind of; the root is a kind of nothing.
PARENTS: dict[str, str] = {"thing": "", **{word: kind for kind, words in _BROADER.items() for word in words}}

#: Other forms of words, and what people write for them.
FORMS: dict[str, str] = {
    "discs": "disc", "arrows": "arrow", "bars": "bar", "colors": "colour", "colours": "colour",
    "color": "colour", "gray": "grey", "right": "rightwards", "left": "leftwards", "up": "upwards",
    "down": "downwards", "1": "one", "2": "two", "3": "three", "4": "four",
}  # fmt: skip
