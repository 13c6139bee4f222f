"""What `sf-eval verify --engine` found, typed and versioned.

The JSON schema in `docs/schemas/` is made from these classes (`python -m sf_eval.verifying.engine_record`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DifferenceRecord(_Strict):
    """One question that was answered otherwise than by the plain combination."""

    question: str
    plain: str | None = Field(description="The plain combination's words; null where it failed.")
    here: str | None = Field(description="This combination's words; null where it failed.")


class CombinationRecord(_Strict):
    """One combination of the switches in one dtype, held against the plain one of the same dtype."""

    dtype: Literal["float32", "bfloat16", "float16"]
    share: bool
    seek: bool
    decoders: int
    batch_size: int
    resize: Literal["decoder", "device"] = Field(
        default="decoder",
        description="device: the model's device resized the pictures; answers may then differ.",
    )
    plain: bool = Field(description="Everything off: what the others of its dtype are held against.")
    passed: bool = Field(
        description="No question failed and, in float32 with the decoders' pixels, all answers are equal."
    )
    questions: int
    failed: int = Field(description="Questions without an answer; they are equal to nothing.")
    equal_answers: int = Field(description="Answers equal to the plain combination's to the last character.")
    equal_letters: int = Field(description="Answers that are read as the same letter, or both as none.")
    equal_to_float32: int | None = Field(
        description="Answers equal to those of the plain combination in float32; null where it was not asked."
    )
    seconds: float = Field(description="Wall-clock time of this combination alone; no benchmark.")
    differences: list[DifferenceRecord]


class EngineRecord(_Strict):
    """All combinations on one machine."""

    schema_version: Literal[2] = 2
    command: list[str]
    created: str = Field(description="UTC, ISO 8601.")
    versions: dict[str, str]
    git_commit: str | None
    machine: dict[str, Any]
    model: str
    data: str
    attn: str
    frames: int = Field(description="At most so many frames a video.")
    videos: int
    passed: bool = Field(description="All combinations passed.")
    combinations: list[CombinationRecord]


def main() -> None:
    """Write the JSON schema to docs/schemas."""
    from sf_eval.core import files

    schema = EngineRecord.model_json_schema()
    files.write_json(Path("docs/schemas/verify_engine.schema.json"), schema)


if __name__ == "__main__":
    main()
