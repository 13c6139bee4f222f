"""Which data a run was about, wherever it lies."""

from __future__ import annotations

import hashlib

from sf_eval.core.errors import DataError
from sf_eval.core.files import sha256
from sf_eval.data.opened import OpenBenchmark


def annotations_digest(opened: OpenBenchmark) -> str:
    """SHA-256 over the names and contents of the benchmark's annotation files, in their order.

    Raises:
        DataError: a file cannot be read any more.
    """
    digest = hashlib.sha256()
    for path in opened.annotation_files:
        try:
            digest.update(f"{path.name}\0{sha256(path)}\n".encode())
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}.") from error
    return digest.hexdigest()
