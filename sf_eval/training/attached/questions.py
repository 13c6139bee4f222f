"""Questions about videos to learn from: a parquet file of a user's, or the mini editions' training split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from sf_eval.benchmarks.annotations import read_rows
from sf_eval.benchmarks.document import MediaRef
from sf_eval.benchmarks.media import resolve
from sf_eval.benchmarks.options import by_position
from sf_eval.benchmarks.prompts import ANSWER_DIRECTLY, join, listed
from sf_eval.benchmarks.rows import RowReader
from sf_eval.core import files, paths
from sf_eval.core.errors import DataError
from sf_eval.editions.edition import Row, write_table
from sf_eval.editions.encode import write_video
from sf_eval.editions.questions import KINDS
from sf_eval.training.footage import draw_scenes
from sf_eval.training.lessons import Asker

TABLE = "questions.parquet"
_VERSION = 1
_DURATIONS_S = (16, 32, 48, 64, 80, 96, 112, 120)
_OF_EACH_VIDEO = 14  # questions: two of each kind


@dataclass(frozen=True)
class TrainingQuestion:
    """One question.

    Attributes:
        video: the file.
        prompt: the user's turn.
        answer: what the model is to say.
    """

    video: Path
    prompt: str
    answer: str


def read_questions(table: Path, media: Path | None = None) -> list[TrainingQuestion]:
    """The questions of a .parquet, .json or .jsonl file.

    Columns: `video`, a path below `media`; `answer`; and either `prompt`, the whole turn of the user, or
    `question`, with `options` (2 to 6 texts) or without. With options the answer is the right one's letter.

    Args:
        media: what videos' paths begin at; the table's own folder where None is given.

    Raises:
        DataError: not such a table, or a video that is not there or not below `media`; names row and column.
    """
    root = table.parent if media is None else media
    found = []
    for number, row in enumerate(read_rows(table)):
        reader = RowReader(row, number, table.name)
        what = f"{table.name}, row {number}"
        video = resolve(root, MediaRef((reader.path("video"),)), what=what, follow_links=True)
        found.append(TrainingQuestion(video, *_asked(reader)))
    return found


def _asked(row: RowReader) -> tuple[str, str]:
    """Prompt and answer of a row."""
    if row.has("prompt"):
        return row.text("prompt"), row.text("answer")
    if not row.has("options"):
        return row.text("question"), row.text("answer")
    options = by_position(row.texts("options"))
    return join(row.text("question"), listed(options), ANSWER_DIRECTLY), row.letter("answer", options)


def write_mini_split(
    folder: Path, videos: int, progress: Callable[[int, int], None], seed: str = "attached"
) -> Path:
    """Write videos of the mini editions' kind, never theirs, and questions in the training's wordings.

    Returns:
        The table, in the form that `read_questions` reads.

    Raises:
        OutputError: it cannot be written.
    """
    scenes = draw_scenes(seed, videos, _DURATIONS_S)
    asker = Asker(seed)
    rows: list[Row] = []
    try:
        with files.replacing_folder(folder) as part:
            (part / "videos").mkdir()
            for number, scene in enumerate(scenes):
                progress(number, videos)
                path = f"videos/{number:04d}.mp4"
                write_video(part / path, scene)
                for place in range(_OF_EACH_VIDEO):
                    _, question, prompt = asker.ask(scene, tuple(KINDS)[place % len(KINDS)])
                    rows.append({"video": path, "prompt": prompt, "answer": question.letter})
            write_table(part / TABLE, rows)
    except OSError as error:
        raise files.output_error(folder, error) from error
    progress(videos, videos)
    return folder / TABLE


def mini_split(videos: int, progress: Callable[[int, int], None]) -> Path:
    """The table of the mini editions' training split in our cache, written there if it is not yet."""
    folder = paths.cache_dir() / "training" / f"attached-v{_VERSION}-{videos}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / TABLE).is_file():
            write_mini_split(folder, videos, progress)
    return folder / TABLE


def table_below(data: Path) -> Path:
    """The table that `--data` means: the file, or the one in a folder.

    Raises:
        DataError: there is none.
    """
    table = data / TABLE if data.is_dir() else data
    if not table.is_file():
        raise DataError(
            f"{data} is no table of questions, and no folder with {TABLE} in it.",
            hint="Give a .parquet file, or mini (docs/attaching.md has the columns).",
        )
    return table
