"""Finds what an output says apart from its thinking, and what it marks as its answer.

Models mark thinking and answers in many ways: `<think>`, `[THINK]`, `◁think▷`, `<seed:think>`,
`<|begin_of_thought|>`, `<|channel|>analysis`, `<REASONING>`; `<answer>`, `<CONCLUSION>`, `\\boxed{}`. Their
names decide, not their brackets. Everything here is one pass over the output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from sf_eval.scoring.answers.reading import Frame


@dataclass(frozen=True)
class Spoken:
    """An output without its thinking.

    Attributes:
        frame: how the parts to read are marked.
        parts: what is to be read; several where several answers are marked.
        after: what was said after the last marked answer, or "".
        is_open: the last part ends only because the output does.
        is_thinking: the thinking never ended, so that nothing was answered.
    """

    frame: Frame
    parts: tuple[str, ...]
    after: str = ""
    is_open: bool = True
    is_thinking: bool = False


class _Kind(Enum):
    thought = auto()
    thought_end = auto()
    answer = auto()
    answer_end = auto()
    channel_thought = auto()
    channel_end = auto()
    channel_answer = auto()
    other = auto()
    other_end = auto()


@dataclass(frozen=True)
class _Mark:
    start: int
    end: int
    kind: _Kind
    name: str


_TAG = re.compile(
    # "<|channel|>final<|message|>", "<|im_start|>think", "<|channel>thought ... <channel|>"
    r"<\|(?:channel|im_start)\|?>\s?(?P<role>[a-z]{1,12})|(?P<channel_end><channel\|>|<\|(?:end|return)\|>)"
    r"|(?P<open>[<＜\[◁])\s?\|?\s?(?P<end>/?)\s?(?:[a-z]{1,12}:)?"
    r"(?P<name>[a-z][a-z0-9_\-\u2581]{1,30}(?: (?:answer|process|response|choice))?)"
    r"(?:\s[^<>\[\]◁▷\n]{0,80})?\s?/?\s?\|?\s?[>＞\]▷]"
    r"|(?:^|\n)[ *#]{0,4}here(?:'s| is) my (?P<said>thought process|response)\s?:",
    re.IGNORECASE,
)


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_THOUGHTS = _names(
    "think thinking thought thoughts reason reasons reasoning reflection reflect analysis analyze analyse"
    " rationale scratchpad cot chainofthought thinkingprocess thoughtprocess reasoningprocess monologue"
    " plan planning deliberation contemplation brainstorm introspection critique verification"
    " explanation observation observations unused94"
)
_THOUGHT_ENDINGS = ("think", "thinking", "thought", "thoughts", "reasoning", "reflect", "reflection")
_ANSWERS = _names(
    "final conclusion response finalresponse result output solution box prediction verdict decision"
    " finaldecision selection choice finalchoice"
)
# Marks of style, which say nothing of what stands in them.
_STYLES = _names(
    "br div em strong span code pre sub sup ul ol li hr table thead tbody tr td th font small big mark del"
    " ins center body html h1 h2 h3 h4 h5 h6 img video image option letter"
)
_BEGIN = re.compile(r"^(?:begin|start)(?:of)?(?=.)|^end(?:of)?(?=.)")
_SPECIAL_TOKEN = re.compile(r"<[|｜][^<>|｜\n]{1,40}[|｜]>|</?s>|<(?:eos|bos|pad|end_of_turn|start_of_turn)>")
# "\b" of "\boxed" is a control character where somebody unescaped the text.
_BOX = re.compile(r"(?:\\f?boxed|\\fbox|\x08oxed)\s{0,3}\{")
_BRACE = re.compile(r"[{}]")
_ANALYSIS_CHANNEL = re.compile(r"\s*analysis(?=\S)", re.IGNORECASE)
_FINAL_CHANNEL = re.compile(r"assistant\s?final", re.IGNORECASE)
# What some models (Qwen) put before their answer, and what means nothing.
_ARTEFACT = re.compile(r"\s*(?:addCriterion\s*){1,20}", re.IGNORECASE)


def spoken(output: str) -> Spoken:
    """What `output` says to be read for an answer."""
    output = _without_stripped_channels(output)
    marks = [mark for found in _TAG.finditer(output) if (mark := _mark(found)) is not None]
    parted = _Parted(output, marks)
    if not parted.run():
        return Spoken(Frame.plain, (), is_thinking=True)
    outside = _clean("".join(parted.outside))
    if parted.answers:
        after = _clean("".join(parted.outside[parted.outside_before_last_answer :]))
        answers = tuple(_clean(answer) for answer in parted.answers)
        return Spoken(Frame.answer_mark, answers, after, parted.is_open)
    boxes = list(_boxes(outside))
    if boxes:
        return Spoken(
            Frame.boxed, tuple(outside[a:b] for a, b in boxes), outside[boxes[-1][1] + 1 :], is_open=False
        )
    frame = Frame.after_thought if parted.has_thought else Frame.plain
    if parted.asides and not outside.strip():
        return Spoken(frame, tuple(_clean(aside) for aside in parted.asides), is_open=False)
    return Spoken(frame, (outside,))


def _without_stripped_channels(output: str) -> str:
    """Of "analysisHe runs.assistantfinalB", where the channels' marks were stripped, what is final."""
    if _ANALYSIS_CHANNEL.match(output):
        return _FINAL_CHANNEL.split(output)[-1]
    return output


def _clean(text: str) -> str:
    text = _SPECIAL_TOKEN.sub("\n", text)
    found = _ARTEFACT.match(text)
    return text[found.end() :] if found else text


def _mark(found: re.Match[str]) -> _Mark | None:
    place = (found.start(), found.end())
    if found["channel_end"]:
        return _Mark(*place, _Kind.channel_end, "")
    role = (found["role"] or "").lower()
    if role:
        if role in ("analysis", "commentary", "thought", "think"):
            return _Mark(*place, _Kind.channel_thought, role)
        return _Mark(*place, _Kind.channel_answer, role) if role in ("final", "answer") else None
    if found["said"]:
        kind = _Kind.channel_answer if found["said"].lower() == "response" else _Kind.thought
        return _Mark(*place, kind, f"my {found['said'].lower()}")
    return _named_mark(found, place)


def _named_mark(found: re.Match[str], place: tuple[int, int]) -> _Mark | None:
    name = re.sub(r"[_\-\u2581 ]", "", found["name"].lower())
    is_end = bool(found["end"]) or name == "unused95"
    if name == "unused95":
        name = "unused94"
    elif (begin := _BEGIN.match(name)) and name not in _THOUGHTS:
        is_end = is_end or begin.group().startswith("end")
        name = name[begin.end() :]
    in_square_brackets = found["open"] == "["
    if name in _THOUGHTS or name.endswith(_THOUGHT_ENDINGS):
        return _Mark(*place, _Kind.thought_end if is_end else _Kind.thought, name)
    if name.endswith("answer") or (name in _ANSWERS and not in_square_brackets):
        return _Mark(*place, _Kind.answer_end if is_end else _Kind.answer, name)
    if in_square_brackets or name in _STYLES or "|" in found.group():
        return None
    return _Mark(*place, _Kind.other_end if is_end else _Kind.other, name)


@dataclass
class _Parted:
    """Goes through an output's marks and parts what it says from what it thinks."""

    text: str
    marks: list[_Mark]
    outside: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    asides: list[str] = field(default_factory=list)
    outside_before_last_answer: int = 0
    is_open: bool = False
    has_thought: bool = False

    def run(self) -> bool:
        """False where the thinking never ended."""
        closing = self._closings()
        place, position = 0, 0
        while place < len(self.marks):
            mark = self.marks[place]
            if mark.kind in (_Kind.thought_end, _Kind.channel_answer):
                # All before it was thought; where nothing began it, that stood in the prompt.
                self.outside, self.answers, self.asides = [], [], []
                self.outside_before_last_answer, self.has_thought = 0, True
                place, position = place + 1, mark.end
                continue
            if mark.kind in (_Kind.thought, _Kind.channel_thought):
                end = closing[place]
                if end is None and mark.kind is _Kind.thought and self._is_prose(mark):
                    place += 1
                    continue
                self.outside.append(self.text[position : mark.start])
                self.has_thought = True
                if end is None:
                    return False
                ends_thought = self.marks[end].kind in (_Kind.thought_end, _Kind.channel_end)
                place = end + 1 if ends_thought else end
                position = self.marks[end].end if ends_thought else self.marks[end].start
            elif mark.kind is _Kind.answer:
                self.outside.append(self.text[position : mark.start])
                place, position = self._answer(place, closing[place])
            elif mark.kind is _Kind.other and (end := closing[place]) is not None:
                self.outside.append(self.text[position : mark.start])
                self.asides.append(self.text[mark.end : self.marks[end].start])
                place, position = end + 1, self.marks[end].end
            else:
                place += 1
        self.outside.append(self.text[position:])
        return True

    def _answer(self, place: int, end: int | None) -> tuple[int, int]:
        """Takes the answer that the mark at `place` begins; the next mark, and where to go on."""
        stop = len(self.text) if end is None else self.marks[end].start
        self.answers.append(self.text[self.marks[place].end : stop])
        self.outside_before_last_answer = len(self.outside)
        self.is_open = end is None
        if end is None:
            return len(self.marks), len(self.text)
        closes = self.marks[end].kind is _Kind.answer_end
        return (end + 1, self.marks[end].end) if closes else (end, stop)

    def _is_prose(self, mark: _Mark) -> bool:
        """A word in square brackets, "the [reflection] in the mirror", that nothing closes."""
        return self.text[mark.start] == "[" and not mark.name.startswith(("think", "thought"))

    def _closings(self) -> list[int | None]:
        """For each mark that begins something the place of the mark that ends it, in one pass backwards."""
        named: dict[tuple[_Kind, str], int] = {}
        nearest: dict[_Kind, int] = {}
        closings: list[int | None] = [None] * len(self.marks)
        for place in range(len(self.marks) - 1, -1, -1):
            mark = self.marks[place]
            if mark.kind is _Kind.thought:
                ends = (
                    named.get((_Kind.thought_end, mark.name)), nearest.get(_Kind.thought_end),
                    nearest.get(_Kind.channel_answer), nearest.get(_Kind.answer),
                )  # fmt: skip
                closings[place] = next((end for end in ends if end is not None), None)
            elif mark.kind is _Kind.answer:
                own, another = named.get((_Kind.answer_end, mark.name)), nearest.get(_Kind.answer)
                closings[place] = another if own is None else own
            elif mark.kind is _Kind.channel_thought:
                answer = nearest.get(_Kind.channel_answer)
                end = nearest.get(_Kind.channel_end)
                # "<|end|>" of one message of analysis may be followed by another message of it.
                closings[place] = answer if answer is not None else end if self._is_gemma(end) else None
            elif mark.kind is _Kind.other:
                closings[place] = named.get((_Kind.other_end, mark.name))
            named[mark.kind, mark.name] = place
            nearest[mark.kind] = place
        return closings

    def _is_gemma(self, end: int | None) -> bool:
        return end is not None and self.text.startswith("<channel", self.marks[end].start)


def _boxes(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of what stands in each `\\boxed{}` that no other holds."""
    starts = {found.end() - 1 for found in _BOX.finditer(text)}
    if not starts:
        return
    opened: list[int] = []
    closed: list[tuple[int, int]] = []
    for found in _BRACE.finditer(text):
        if found.group() == "{":
            opened.append(found.start())
        elif opened:
            begin = opened.pop()
            if begin in starts:
                closed.append((begin + 1, found.start()))
    outermost = -1
    for begin, end in sorted(closed):
        if begin > outermost:
            outermost = end
            yield begin, end
