"""What an engine needs of a model of any family: encode a video, prefill what its questions share, answer.

A family knows its own videos and prefixes; to the engine they are opaque. `Family` is what is asked of one
before any weights are loaded (`sf_eval.inference.families`), `VideoModel` what is asked of a loaded model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import SfEvalError
from sf_eval.core.resize import Resize
from sf_eval.core.video_size import VideoSize
from sf_eval.inference.question import FailureKind, Said
from sf_eval.video import ClipPlan, SamplingRule

if TYPE_CHECKING:  # a card's rule is asked for before torch is imported
    import torch

    from sf_eval.model.looking import Look


@dataclass(frozen=True, eq=False)
class Asked:
    """One prompt about one video.

    Attributes:
        text: the user's turn, without chat markup and without the video's placeholder.
        video: what `encode` gave; None asks without a video.
        prefix: what `prefix` gave for its video, or `prefixes` for this prompt: that is not prefilled again.
            None asks the whole prompt.
        max_new_tokens: limit of the answer in tokens.
    """

    text: str
    video: Any
    prefix: Any
    max_new_tokens: int


@dataclass(frozen=True)
class Generated:
    """The answer to one prompt; the two times are its batch's.

    Attributes:
        prompt_tokens: tokens in the language model: text and visual ones.
        visual_tokens: how many of them are visual.
            These two and `new_tokens` are None where nobody counts them.
        slow_tokens: visual tokens that are read beside the prompt, by cross-attention.
        new_tokens: generated ids, the one that ended the answer included.
        finish_reason: "stop" (end-of-turn token) or "length" (limit reached).
        finite: whether all logits were finite: otherwise the text is noise.
        prefill_s: seconds until the first token of all rows was known, without a shared prefix.
        generate_s: seconds from then until the last row was done.
        prefix_s: seconds that its prefix took, where `prefixes` left it to an `answer` (`Postponing`): an
            equal share of what all took that were prefilled with it.
        visual_grid: the tower's tokens before any pooling: frames (as it merges them), height, width; None
            without a video, and where `ModelFacts.config` tells them.
    """

    text: str
    prompt_tokens: int | None
    visual_tokens: int | None
    slow_tokens: int
    new_tokens: int | None
    finish_reason: str
    finite: bool
    prefill_s: float
    generate_s: float
    prefix_s: float = 0.0
    visual_grid: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Refused:
    """No answer to one prompt, while others of its batch have theirs; `reason` is for people."""

    kind: FailureKind
    reason: str


class ModelLostError(SfEvalError):
    """The model can answer nothing any more, such as an endpoint that refuses its key: ends a run."""


@dataclass(frozen=True)
class ModelFacts:
    """What a run records of a loaded model, and what of it determines its answers.

    Attributes:
        weights_digest: SHA-256 over the files that the model was loaded from; of an endpoint, over its name
            and address, which is all that is known.
        revision: the Hub commit of the weights, "" for weights from elsewhere.
        parameters: number of weights in use; 0 where nobody can tell.
        dtype: of the weights in memory, without "torch."; "" where nobody can tell.
        config: its shape, as config.json has it.
        closed_form: whether `sf_eval.profiler.cost` counts FLOPs and memory from `config` alone. Otherwise a
            run's FLOPs are counted where `config` and the answers' `visual_grid` tell them, and its memory
            where `config` and `largest_video` do.
        text_before_video: tokens of every prompt's markup before the video.
        own: what else determines its answers, of this family alone; part of every answer's key.
        question_bytes: most bytes of keys and values that one question takes; None where it is not known, or
            the closed form counts it.
        largest_video: how large the longest video is, of pictures of 720p; None where it is not known, or all
            videos are alike (`resize`).
        notes: what a reader of the results should know, one sentence each.
    """

    weights_digest: str
    revision: str
    parameters: int
    dtype: str
    config: Mapping[str, Any]
    closed_form: bool = False
    text_before_video: int = 0
    own: Mapping[str, Any] = field(default_factory=dict)
    question_bytes: int | None = None
    largest_video: VideoSize | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> ModelSize:
        """What the model takes, as it was known before it was loaded."""
        known = self.closed_form or self.largest_video is not None
        return ModelSize(self.parameters, self.config if known else None, self.largest_video)


@dataclass(frozen=True)
class ModelSize:
    """What a model takes, known from its card without weights.

    Attributes:
        parameters: number of weights in use; None where it cannot be told.
        config: as `ModelFacts.config` where that may have a closed form; None has none.
        largest_video: as in `ModelFacts`.
    """

    parameters: int | None
    config: Mapping[str, Any] | None = None
    largest_video: VideoSize | None = None


TOWER = "vision tower"
"""What `parts_to_compile` calls it."""


def plain_rule(card: ModelCard) -> SamplingRule:
    """The rule of a card that does not leave it to its family."""
    assert card.sampling != "family"
    return SamplingRule(card.sampling, card.num_frames, card.target_fps)


class VideoModel(Protocol):
    """A loaded model of some family.

    All methods may raise what `sf_eval.inference.device.is_out_of_memory` knows; the engine then asks for
    less. `ModelLostError` ends everything. One that can be compiled (`--compile`) has `parts_to_compile` too:
    the modules that do nearly all of its work by name, none inside of another.
    """

    @property
    def device(self) -> torch.device: ...

    @property
    def facts(self) -> ModelFacts: ...

    @property
    def resize(self) -> Resize | None:
        """How pictures are brought to the size that `encode` takes; carried out where they are decoded.

        None: `encode` takes them as they are coded.
        """

    def encode(self, pixels: torch.Tensor, shown: ClipPlan, *, chunk_frames: int) -> Any:
        """A video for `Asked.video` and `prefix`.

        Args:
            pixels: uint8 RGB [T, H, W, 3] on the device.
            shown: of which video these T frames are, and when they are shown.
            chunk_frames: frames in the vision tower at a time; bounds the activations.
        """

    def prefix(self, video: Any) -> Any:
        """What every prompt about the video begins with, prefilled; many batches may share it.

        None if this model has no such thing: its prompts are then asked whole.
        """

    def prefixes(self, video: Any, texts: Sequence[str]) -> Sequence[Any]:
        """For each of these prompts about the video what it begins with, the same object where prompts share
        it: `prefix`, or more, such as subtitles (`shared_text`)."""

    def answer(self, asked: Sequence[Asked]) -> Sequence[Generated | Refused]:
        """Answer greedily, as one batch; all with a prefix, or all without. Answers do not depend on the
        batch but for rounding."""


@runtime_checkable
class Postponing(Protocol):
    """A loaded model that prefills the prefixes of several videos together, where they are short.

    Attributes:
        postpones: whether `prefixes` may leave a prefix to the first `answer` that asks with it; settable.
    """

    postpones: bool


@runtime_checkable
class Interleaving(Protocol):
    """A loaded model that takes text between the frames of a video."""

    def interleaved(self, video: Any, times_s: Sequence[float], said: Sequence[Said]) -> tuple[Any, str]:
        """An encoded video with the lines between its frames, and how that reads, for people.

        Args:
            times_s: of the frames shown, in seconds.
        """


@runtime_checkable
class Watchable(Protocol):
    """A loaded model that can tell where it looked."""

    def look(self, asked: Asked) -> tuple[str, Look]:
        """The answer's words to one question with video and prefix, and what it looked at.

        Raises:
            UsageError: nothing is looked at: the slow path is off, or the model cannot share prefixes.
        """


class Family(Protocol):
    """What is asked of a family before weights are loaded; one object a module, called `FAMILY`."""

    def check(self, card: ModelCard) -> None:
        """Hold the card's settings to what this family has.

        Raises:
            UsageError: it has no such option or value.
        """

    def check_weights(self, card: ModelCard) -> None:
        """Refuse weights that cannot be had or used; they stay on the Hub.

        Raises:
            CheckpointError: no such checkpoint, or one that is not whole or not of this family.
        """

    def rule(self, card: ModelCard) -> SamplingRule:
        """Which frames of a clip are shown."""

    def size(self, card: ModelCard) -> ModelSize:
        """What the model takes; may need what lies beside the checkpoint's weights.

        Raises:
            CheckpointError: the checkpoint is here, and what tells its size cannot be read.
        """

    def load(
        self,
        card: ModelCard,
        *,
        device: torch.device | str,
        dtype: torch.dtype | str | None,
        attn: str | None,
        revision: str | None,
    ) -> VideoModel:
        """Load onto one device; the arguments are those of `sf_eval.inference.families.open_model`."""
