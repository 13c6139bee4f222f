"""What the user asked for, read once from the command line."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import UsageError
from sf_eval.harness.controls.conditions import Conditions
from sf_eval.harness.judged.settings import JudgeSettings

Scoring = Literal["sf-eval", "published", "both"]


@dataclass(frozen=True)
class Limit:
    """`--limit`: a number of documents, or a fraction of each task's own number."""

    value: Fraction
    is_fraction: bool

    def of(self, total: int) -> int:
        """Documents asked of a task that has `total`; at least one."""
        wanted = -(-total * self.value // 1) if self.is_fraction else self.value
        return max(1, min(total, int(wanted)))


def parse_limit(text: str) -> Limit:
    """Read `10` as ten documents, `0.1` and `1.0` as fractions.

    Raises:
        UsageError: neither a positive whole number nor a fraction in (0, 1].
    """
    hint = "Give a whole number of documents (--limit 20) or a fraction (--limit 0.1)."
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"--limit {text} is not a number.", hint=hint) from error
    is_fraction = "." in text or "/" in text
    if value <= 0 or (is_fraction and value > 1) or (not is_fraction and value.denominator != 1):
        raise UsageError(f"--limit {text} is out of range.", hint=hint)
    return Limit(value, is_fraction)


@dataclass(frozen=True)
class FailurePolicy:
    """`--fail-on-error`: how many failed samples a run may have before it stops.

    Attributes:
        most: failed samples (a count) or their share of all (a fraction) that are still accepted; None never
            stops a run.
        stop: end the run as soon as `most` is exceeded.
    """

    most: Fraction | None = None
    is_fraction: bool = False

    def exceeded(self, failed: int, total: int) -> bool:
        if self.most is None:
            return False
        return failed > (self.most * total if self.is_fraction else self.most)


def parse_failure_policy(text: str | None) -> FailurePolicy:
    """Read `any` as none accepted, `5` as a count and `0.02` as a fraction.

    Raises:
        UsageError: none of these.
    """
    if text is None:
        return FailurePolicy()
    if text == "any":
        return FailurePolicy(Fraction(0))
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(
            f"--fail-on-error {text} is none of: any, a count such as 5, a fraction such as 0.02."
        ) from error
    is_fraction = "." in text or "/" in text
    if value < 0 or (is_fraction and value > 1):
        raise UsageError(f"--fail-on-error {text} is out of range.")
    return FailurePolicy(value, is_fraction)


def parse_models(text: str) -> list[str]:
    """Read `--model`: one name, or several separated by commas. A directory's name may hold commas.

    Raises:
        UsageError: an empty name, or one twice.
    """
    if Path(text).expanduser().is_dir():
        return [text]
    names = [name.strip() for name in text.split(",")]
    if len(names) == 1:
        return [text]
    if "" in names:
        raise UsageError("a model name is empty.", hint="Separate names by single commas: mini,mini-16f.")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"--model names {twice} twice.", hint="Name each model once.")
    return names


@dataclass(frozen=True)
class RunSettings:
    """Everything `sf-eval run` was asked, unresolved.

    Attributes:
        batch_size: None for what fits (`sf_eval.harness.batching`).
        share, seek: a video's work is done once for all its questions; its frames are reached by seeking.
            Neither changes an answer beyond rounding.
        resize: "device" lets the model's device resize the pictures, within 2 grey levels of Pillow, which
            resizes them in the decoders for "decoder". None is what the model card says.
        base_url: address of models that are asked by HTTP (`openai:NAME`).
        judge: who judges the open answers that only a judge can tell; None leaves them not judged.
        decoders: processes that decode ahead; None for as many as this machine can use.
        compiled: whether torch.compile has the model; changes no answer beyond rounding either.
        workers: models that answer at the same time (docs/scaling.md); None for one, in this process.
        ray_address: of a Ray cluster that runs already; None starts one on this machine.
        decode_workers: Ray tasks that decode, in place of the workers' own decoders; 0 for those.
        subtitles: which edition of each benchmark is asked, by how it shows subtitles; None for those named.
        attention: how many answered questions are looked at afterwards (`harness/looking`); None for none.
        conditions: in what the run asks otherwise than the benchmark is (docs/controls.md).

    Raises:
        UsageError: settings that contradict each other.
    """

    model: str
    tasks: str
    data: str
    output: Path | None = None
    revision: str | None = None
    data_revision: str | None = None
    limit: Limit | None = None
    batch_size: int | None = 1
    device: str = "auto"
    dtype: str = "auto"
    attn: str = "sdpa"
    num_frames: int | None = None
    max_new_tokens: int | None = None
    seed: int = 0
    video_backend: str = "pyav"
    decode_timeout_s: float = 600.0
    clip: Literal["whole", "cut"] = "whole"
    scoring: Scoring = "sf-eval"
    slow_path: Literal["on", "off"] | None = None
    published_decoding: bool = False
    base_url: str | None = None
    judge: JudgeSettings | None = None
    share: bool = True
    seek: bool = True
    resize: Literal["decoder", "device"] | None = None
    decoders: int | None = None
    compiled: bool = False
    workers: int | None = None
    ray_address: str | None = None
    decode_workers: int = 0
    skip_missing: bool = False
    fetch_media: bool = True
    subtitles: Literal["none", "text", "interleaved"] | None = None
    attention: int | None = None
    conditions: Conditions = field(default_factory=Conditions)
    failures: FailurePolicy = FailurePolicy()
    command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.workers is None and (self.ray_address is not None or self.decode_workers):
            flag = "--decode-workers" if self.ray_address is None else "--ray-address"
            raise UsageError(f"{flag} is for a run on several workers.", hint="Add --workers N.")
        if self.workers is not None and self.device not in ("auto", "cpu", "cuda"):
            raise UsageError(
                f"--device {self.device}: each of {self.workers} workers has a GPU of its own.",
                hint="Use auto, cpu or cuda; CUDA_VISIBLE_DEVICES chooses among the GPUs.",
            )
        if self.workers is not None and self.compiled:
            raise UsageError("--compile is for a run in one process.", hint="Leave --compile out.")
        if self.decode_workers and not self.share:
            raise UsageError(
                "--decode-workers decodes a video once for all its questions.", hint="Leave --share off out."
            )

    @property
    def is_remote(self) -> bool:
        """Whether models run on other machines than this one."""
        return self.ray_address is not None

    def count_of(self, total: int) -> int:
        """How many of a task's `total` questions are asked."""
        return self.limit.of(total) if self.limit else total

    def card(self, card: ModelCard) -> ModelCard:
        """`card` with what the command line overrides."""
        overrides: dict[str, object] = {}
        if self.num_frames is not None:
            overrides["num_frames"] = self.num_frames
        if self.slow_path is not None:
            overrides["slow_path"] = self.slow_path
        if self.published_decoding:
            overrides["decode_slow_attention"] = False
        if self.max_new_tokens is not None:
            overrides["max_new_tokens"] = self.max_new_tokens
        if self.revision is not None:
            overrides["revision"] = self.revision
        if self.resize is not None:
            others = {name: value for name, value in card.options.items() if name != "resize"}
            overrides["options"] = others | ({"resize": "device"} if self.resize == "device" else {})
        # An endpoint's card has the option already; one of another family takes no address.
        if "base_url" in card.options and self.base_url is not None:
            overrides["options"] = {**card.options, "base_url": self.base_url}
        return replace(card, **overrides)  # type: ignore[arg-type]
