"""What `sf-eval look` leaves in a run's folder: `look/<digest>.safetensors`, typed and versioned.

The JSON schema of the metadata is made from these classes (`python -m sf_eval.harness.looking.record`); the
tensors are described in docs/schemas/look.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from sf_eval.core import files
from sf_eval.core.errors import OutputError
from sf_eval.harness.recorded.strict import Strict

FOLDER = "look"
SUFFIX = ".safetensors"
_METADATA = "sf_eval_look"

Tensor = NDArray[np.float16]


class LookRecord(Strict):
    """The metadata of one look."""

    schema_version: Literal[1] = 1
    created: str = Field(description="UTC, ISO 8601.")
    task: str
    doc_id: int = Field(description="Row number in the annotation file.")
    question_id: str
    digest: str = Field(description="The journal's key of the answer; also the file's name.")
    as_asked: bool = Field(
        description="Whether model, video, prompt, settings, libraries and kind of device are those of the "
        "run: the key worked out anew is the same."
    )
    same_output: bool | None = Field(
        description="Whether the model said what the run recorded; null where the run has no answer."
    )
    output: str = Field(description="The model's words while it was watched.")
    askers: list[str] = Field(description="First axis of every tensor (docs/schemas/look.md).")
    layers: list[int] = Field(description="Second axis of frames and gates: hybrid layers of the model.")
    frame_indices: list[int] = Field(description="The frames shown, as in the journal; third axis of frames.")
    times_s: list[float] = Field(description="When they are presented.")
    grid: tuple[int, int] = Field(description="Rows and columns of one frame's slow tokens.")


@dataclass(frozen=True, eq=False)
class KeptLook:
    """One look, as its file holds it: A askers, L layers, T frames, h x w slow tokens a frame.

    Attributes:
        frames: [A, L, T], the share of each frame in the layer's attention; each row sums to 1.
        grid: [A, T, h, w], mean over the layers by their gates, in multiples of what every slow token would
            get if all got the same.
        gates: [A, L], sizes of the gates.
    """

    record: LookRecord
    frames: Tensor
    grid: Tensor
    gates: Tensor

    def shares(self, asker: str) -> NDArray[np.float64]:
        """The share of each frame [T], all layers together, by their gates."""
        at = self.record.askers.index(asker)
        gates = self.gates[at].astype(np.float64)
        weights = gates if gates.any() else np.ones_like(gates)
        shares: NDArray[np.float64] = np.average(self.frames[at].astype(np.float64), axis=0, weights=weights)
        return shares


def bytes_of(askers: int, layers: int, slow_tokens: int, frames: int) -> int:
    """How large one look's tensors are."""
    return 2 * askers * (layers * frames + slow_tokens + layers)


def write_look(folder: Path, look: KeptLook) -> Path:
    """Write it into the run's folder.

    Raises:
        OutputError: it cannot be written.
    """
    from safetensors.numpy import save

    path = folder / FOLDER / f"{look.record.digest}{SUFFIX}"
    tensors = {"frames": look.frames, "grid": look.grid, "gates": look.gates}
    files.write_bytes(path, save(tensors, metadata={_METADATA: look.record.model_dump_json()}))
    return path


def read_looks(folder: Path) -> Iterator[KeptLook]:
    """The looks in a run's folder, in the order of their names; none where nobody looked.

    Raises:
        OutputError: a file that is damaged or of another version.
    """
    for path in sorted((folder / FOLDER).glob(f"*{SUFFIX}")):
        yield _read(path)


def _read(path: Path) -> KeptLook:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as opened:
            record = LookRecord.model_validate_json((opened.metadata() or {}).get(_METADATA, ""))
            look = KeptLook(record, *(opened.get_tensor(name) for name in ("frames", "grid", "gates")))
    except (OSError, SafetensorError, ValidationError) as error:
        raise OutputError(
            f"{path} is damaged, or was not written by this version of sf-eval.",
            hint="Remove it and run sf-eval look again.",
        ) from error
    askers, layers, frames = len(record.askers), len(record.layers), len(record.frame_indices)
    wanted = ((askers, layers, frames), (askers, frames, *record.grid), (askers, layers))
    if tuple(tensor.shape for tensor in (look.frames, look.grid, look.gates)) != wanted:
        raise OutputError(f"{path}: its tensors have not the shapes that it states.", hint="Remove it.")
    return look


def main() -> None:
    """Write the JSON schema to docs/schemas."""
    text = json.dumps(LookRecord.model_json_schema(), indent=2) + "\n"
    files.write_text(Path("docs/schemas") / "look.schema.json", text)


if __name__ == "__main__":
    main()
