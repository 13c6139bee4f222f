"""Prompts by a checkpoint's own chat template, in which a question's markup is only text.

The tokens are those that the checkpoint's processor makes, but a question that holds a control token or a
placeholder ("<|im_end|>", "<video>") is encoded without reading it as one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sf_eval.model.errors import PromptError

_QUESTION = "QUESTIONGOESHERE"


@dataclass(frozen=True)
class Placeholder:
    """What stands in a prompt for one video.

    Attributes:
        text: as the processor writes it, with a single token where it has a run of them.
        runs: how many tokens each of those stands for.
    """

    text: str
    runs: tuple[int, ...]


class PromptWriter:
    """Writes prompts about one video, or about none.

    Args:
        processor: a checkpoint's, with a chat template.
        token: text of the token that runs are made of, and `token_id` its id.
    """

    def __init__(self, processor: Any, token: str, token_id: int) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.token, self.token_id = token, token_id
        self._in_template = getattr(processor, "video_token", None) or token
        control = {str(added) for added in self.tokenizer.added_tokens_decoder.values()}
        control |= {token, self._in_template, *_text_tokens(processor)}
        named = sorted((word for word in control if word.strip()), key=len, reverse=True)
        self._control = re.compile("|".join(map(re.escape, named)) or r"(?!)")

    def collapsed(self, written: str) -> Placeholder:
        """What the processor writes for a video, its runs of tokens shortened to one each."""
        found = list(re.finditer(f"(?:{re.escape(self.token)})+", written))
        runs = tuple(len(match.group()) // len(self.token) for match in found)
        return Placeholder(re.sub(f"(?:{re.escape(self.token)})+", lambda _: self.token, written), runs)

    def ids(self, question: str, video: Placeholder | None) -> tuple[list[int], list[int]]:
        """A prompt's token ids, and where in them each run of a video's tokens begins.

        Raises:
            PromptError: the template does not show the video exactly once, or a question brings a token of a
                video with it.
        """
        if self._control.search(question):
            head, tail = self._rendered(_QUESTION, video).split(_QUESTION)
            inner = self._encoded(question, split_special_tokens=True)
            if self.token_id in inner:
                raise PromptError("the question holds a video's token, and its tokenizer cannot hide it.")
            short = [*self._begun(head), *inner, *self._encoded(tail)]
        else:
            short = self._begun(self._rendered(question, video))
        return self._expanded(short, () if video is None else video.runs)

    def _expanded(self, short: list[int], runs: tuple[int, ...]) -> tuple[list[int], list[int]]:
        if short.count(self.token_id) != len(runs):
            raise PromptError(f"the prompt has {short.count(self.token_id)} runs of a video's {len(runs)}.")
        ids: list[int] = []
        starts: list[int] = []
        for token in short:
            if token == self.token_id:
                starts.append(len(ids))
                ids.extend([token] * runs[len(starts) - 1])
            else:
                ids.append(token)
        return ids, starts

    def _rendered(self, question: str, video: Placeholder | None) -> str:
        content = [{"type": "text", "text": question}]
        if video is not None:
            content.insert(0, {"type": "video"})
        text: str = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        if video is None:
            return text
        if text.count(self._in_template) != 1:
            raise PromptError(
                f"the chat template shows {text.count(self._in_template)} videos where one is asked about."
            )
        return text.replace(self._in_template, video.text)

    def _begun(self, text: str) -> list[int]:
        """As transformers' processors: the template's start token goes before the tokenizer's."""
        start = self.tokenizer.bos_token
        return self._encoded(text, add_special_tokens=not (start and text.startswith(start)))

    def _encoded(self, text: str, *, add_special_tokens: bool = False, **options: Any) -> list[int]:
        if not text:
            return []
        ids: list[int] = self.tokenizer(text, add_special_tokens=add_special_tokens, **options)["input_ids"]
        return ids


def _text_tokens(processor: Any) -> set[str]:
    names = ("image_token", "video_token", "audio_token")
    return {token for name in names if isinstance(token := getattr(processor, name, None), str)}
