"""What an edition is: named tables, texts and videos, and how they are written below one folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sf_eval.editions.encode import write_frames_folder, write_video
from sf_eval.editions.scene import Scene

Row = dict[str, Any]


@dataclass(frozen=True)
class Edition:
    """One benchmark's miniature, in the layout of the benchmark's Hub repository (paths are POSIX, relative).

    Attributes:
        tables: annotation file to rows; the suffix (.parquet or .json) says the format.
        videos: video file to the scenes it shows one after another; a path without suffix is a folder of
            JPEG frames.
        kinds: annotation file to the kind of each row's question (`questions.KINDS`). No column says it,
            since the real sets have none.
        texts: subtitle file to its text.
    """

    name: str
    tables: Mapping[str, Sequence[Row]]
    videos: Mapping[str, tuple[Scene, ...]]
    kinds: Mapping[str, Sequence[str]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path, progress: Callable[[int, int], None]) -> None:
        """Write everything below `folder`; `progress` gets videos done and videos in all."""
        for path, rows in self.tables.items():
            write_table(_below(folder, path), rows)
        for path, text in self.texts.items():
            _below(folder, path).write_text(text, encoding="utf-8")
        for done, (path, scenes) in enumerate(self.videos.items()):
            progress(done, len(self.videos))
            target = _below(folder, path)
            if target.suffix:
                write_video(target, *scenes)
            else:
                write_frames_folder(target, *scenes)
        progress(len(self.videos), len(self.videos))


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as parquet or as a JSON list, by suffix."""
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    else:
        path.write_text(json.dumps(list(rows), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _below(folder: Path, path: str) -> Path:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    return target
