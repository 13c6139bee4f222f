"""What every benchmark's rows are turned into, and what is known of a benchmark as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sf_eval.benchmarks.layout import ANYWHERE, HubLayout
from sf_eval.benchmarks.readers import PublishedReader

SettledBy = Literal["letter", "match", "wups", "judge"]
"""How an answer is held against the truth: the letter read from it, the same words as an accepted answer, the
likeness of its words (WUPS), or what a language model that is asked says. All but "letter" are for open
questions, which offer no options."""
Subtitles = Literal["none", "text", "interleaved"]


@dataclass(frozen=True, slots=True)
class MediaRef:
    """Where a question's video is, below the benchmark's media root.

    Attributes:
        candidates: relative POSIX paths, tried in this order; the first that exists is meant.
        start_s, end_s: the part of the file that the question is about, in seconds from its beginning;
            None where the whole file is meant. Whether they are applied is a run's choice (`--clip`).
        fps: frames per second of a folder of frames, which has no clock of its own.
        is_frames_folder: the path is a folder of image files instead of a video file.
    """

    candidates: tuple[str, ...]
    start_s: float | None = None
    end_s: float | None = None
    fps: float | None = None
    is_frames_folder: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """One question about one video.

    Attributes:
        index: the row's number in the annotation file, from 0.
        id: the benchmark's own question id, unique in the benchmark.
        video_id: names the video; questions of one video are one cluster in the statistics.
        media: where the video is.
        subtitles: relative path of the subtitle file where the benchmark shows subtitles, else None.
        question: the question alone, without options.
        options: letter to text, in the order shown; two to eight of them, none for an open question.
        answer: the right letter, or None where the truth is not public, and for an open question.
        categories: what the results are broken down by, e.g. {"duration": "short"}.
        prompt: the published prompt, without subtitles and without the chat format's wrapping.
        labels: letter to what the prompt calls the option where that is not its letter ("Option 1"), or ""
            where the prompt names none ("yes", "no"): then only an option's text is an answer. None where
            the prompt shows the letters.
        references: the accepted answers of an open question; () for one with options.
        asked_of_judge: what a judge is asked of the model's words where it is another question than the
            model's own (TempCompass's captions); "" where it is that one.
        subtitles_from_s: the time in the subtitles at which the video begins, in seconds.
        duration_s: the video's length as its row states it, for subtitles that state no end; None where none
            does.
    """

    index: int
    id: str
    video_id: str
    media: MediaRef
    subtitles: str | None
    question: str
    options: dict[str, str]
    answer: str | None
    categories: dict[str, str]
    prompt: str
    labels: dict[str, str] | None = None
    references: tuple[str, ...] = ()
    asked_of_judge: str = ""
    subtitles_from_s: float = 0.0
    duration_s: float | None = None

    def called(self, letter: str) -> str:
        """An option as the prompt calls it: its letter, its label, or its text where it has no name."""
        if self.labels is None:
            return letter
        return self.labels[letter] or self.options[letter]

    @property
    def has_truth(self) -> bool:
        """Whether somebody here knows what is right."""
        return self.answer is not None or bool(self.references)


@dataclass(frozen=True)
class Group:
    """Benchmarks that are reported as one: the mean of the members' accuracies.

    Attributes:
        name: what `--tasks` takes for all of them, e.g. "mvbench".
        published_column: its column in results/published/published_results.csv.
        parts: all that the mean is made of, each without the group's name before it ("action_count" of
            "mvbench_action_count"), members that are not here included; () where the members are all.
        noun: what a part is called, e.g. "subtasks".
    """

    name: str
    title: str
    published_column: str | None = None
    parts: tuple[str, ...] = ()
    noun: str = "subtasks"

    def part_of(self, member: str) -> str:
        """The part's own name: "action_count" of "mvbench_action_count"."""
        return member.removeprefix(f"{self.name}_")


@dataclass(frozen=True)
class Benchmark:
    """What is known of one benchmark, or of one of MVBench's subtasks.

    Attributes:
        name: what `--tasks` takes, e.g. "videomme".
        title: what tables show, e.g. "Video-MME".
        lmms_task: the name of its lmms-eval task, e.g. "sf_videomme".
        hub_id, hub_config, split: the dataset on the Hub.
        annotation_files: globs below a directory source, tried in this order; the first that matches
            anything holds the rows.
        media_root: subfolder of the directory source that `MediaRef.candidates` start from; "" for itself.
        read_row: turns row `index` into a Document; raises DataError naming the row and the column.
        breakdown: the categories its tables are broken down by.
        mean_over: the category whose accuracies' mean is the headline score ("macro"); None where all
            questions count alike ("micro").
        expected_questions, expected_videos: size of the real benchmark, or None where it is not known.
        published_column: its column in results/published/published_results.csv, or None.
        licence: terms of the annotations and videos, as far as known.
        max_new_tokens: the task's limit of one answer, in tokens.
        group: the group it is a member of, or None.
        folder: the directory below a DIR source that holds its annotations and media (benchmarks that
            share their media share it).
        published_note: how the published number differs from the headline score, "" where it does not.
        writes_submission: its truth is not public: a run writes a submission file instead of a score.
        aliases: other names that `--tasks` takes.
        published_reader: reads a letter as the scorer behind the published numbers does; None where none is
            known: then no published verdict is given.
        published_drops_empty: the published average leaves empty outputs out.
        layout: where its media lie on the Hub.
        rows_have_times: its rows say from when to when of the video they ask (`--clip`).
        edition_of: the benchmark that it is another edition of (the same with subtitles, or its test set), or
            "". A mean over benchmarks takes each benchmark once: not its other editions.
        whole_subtitles: its prompt shows all that is said in the film, not only what is said at the frames.
        grouped: its questions stand in groups that are also scored together
            (`sf_eval.scoring.group_score`): their categories say how.
        settled_by: how its answers become outcomes (docs/scoring.md).
        matched: of a benchmark settled by WUPS, category to those of its values whose questions are settled
            by a match instead (NExT-QA: how many, yes or no).
        judge_prompt: what a judge is asked, by its name in `sf_eval.scoring.judging.prompts`; "" for none.
        subtitles: how it shows them: not at all, as one text before the question, or between the frames.
            `--subtitles` chooses among the editions of a benchmark.
        setting: which of several settings it has, a sentence that stands beside its number; "" where there is
            only one.
    """

    name: str
    title: str
    lmms_task: str
    hub_id: str
    hub_config: str | None
    split: str
    annotation_files: tuple[str, ...]
    media_root: str
    read_row: Callable[[int, Mapping[str, Any]], Document]
    breakdown: tuple[str, ...]
    expected_questions: int | None
    expected_videos: int | None
    published_column: str | None
    licence: str
    max_new_tokens: int = 16
    mean_over: str | None = None
    group: Group | None = None
    folder: str = ""
    aliases: tuple[str, ...] = ()
    published_reader: PublishedReader | None = None
    published_drops_empty: bool = False
    layout: HubLayout = ANYWHERE
    rows_have_times: bool = False
    published_note: str = ""
    writes_submission: bool = False
    edition_of: str = ""
    whole_subtitles: bool = False
    grouped: bool = False
    settled_by: SettledBy = "letter"
    matched: Mapping[str, frozenset[str]] = field(default_factory=dict)
    judge_prompt: str = ""
    subtitles: Subtitles = "none"
    setting: str = ""
