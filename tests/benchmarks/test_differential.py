"""Our verdicts beside those of lmms-eval 0.7.3's own scorers, on the same outputs.

Every disagreement must be of a kind that the table "Where lmms-eval 0.7.3 errs" of docs/scoring.md lists
for that benchmark, and every kind listed there must be seen here.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from sf_eval.benchmarks.catalog import benchmark_names, get_benchmark
from sf_eval.benchmarks.document import Document
from sf_eval.benchmarks.extract import extract_answer
from sf_eval.benchmarks.verify import PROMPTS, SCORES, recorded_protocol_dir
from sf_eval.core.paths import tasks_dir

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scoring.md"
EDITIONS = {"mvbench": "mvbench_action_count", "egoschema": "egoschema_subset"}
GUESS = "?"

# R and W stand for the right and a wrong letter, {r} and {w} for their options' texts.
OUTPUTS = (
    "R", "R.", "(R)", "R. {r}", "(R) {r}", "The answer is R.", "Answer: R", "**R**", "Option R", "R: {r}",
    "The best answer is: R. {r}", "A man is shown. The answer is R.", "(r)", "r",
    "The answer is R because W is wrong", "The best answer is: R. Driving a car",
    "The correct option is R, because W is wrong", "I think it's R.", "The person holds a cup (R)", "{r}",
    "{r}.", "Because I can't see", "I cannot tell from the video.", "A man is shown.", "R or W",
    "Both R and W", "not R", "The answer is not R.", "Option R is wrong", "", "\\boxed{R}", "Answer: (R)",
    "So the answer is (R).", "The video shows that {r}.", "Choose between (R) and (W)", "Every Dog",
    "The answer is F.", "E", "Video can not load, check the source", "I see a dog, so r", "None of these",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    task: str
    row: dict[str, Any]
    document: Document
    output: str

    @property
    def ours(self) -> str | None:
        return extract_answer(self.output, self.document.options)


def _rows(name: str) -> Iterator[dict[str, Any]]:
    for line in (recorded_protocol_dir() / name).read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _case(task: str, row: dict[str, Any], output: str) -> Case:
    return Case(task, row, get_benchmark(EDITIONS.get(task, task)).read_row(0, row), output)


def _filled(template: str, document: Document) -> str:
    right = document.answer or "A"
    wrong = next(letter for letter in document.options if letter != right)
    text = template.replace("(r)", f"({right.lower()})") if template == "(r)" else template
    text = right.lower() if template == "r" else text
    text = re.sub(r"\bR\b", right, re.sub(r"\bW\b", wrong, text))
    return text.replace("{r}", document.options[right]).replace("{R}", f"{{{right}}}")


def cases() -> list[Case]:
    found = [_case(record["task"], record["doc"], record["output"]) for record in _rows(SCORES)]
    for record in _rows(PROMPTS):
        document = _case(record["task"], record["doc"], "").document
        found += [_case(record["task"], record["doc"], _filled(template, document)) for template in OUTPUTS]
    six = json.loads((Path(__file__).parent / "sound_rows.json").read_text(encoding="utf-8"))["mlvu_test"]
    six["answer"] = "F"
    found += [_case("mlvu_test", six, output) for output in ("A", "D.", "E", "(F)", "The answer is F.")]
    return found


Theirs = Callable[[Case], str]


@pytest.fixture(scope="module")
def theirs() -> Theirs:
    """The letter that lmms-eval reads ("" for none, GUESS where it draws one)."""
    tasks = ("videomme", "mlvu", "mvbench", "egoschema", "longvideobench")
    utils: dict[str, ModuleType] = {
        task: importlib.import_module(f"lmms_eval.tasks.{task}.utils") for task in tasks
    }
    for task in ("egoschema", "longvideobench"):
        utils[task].random = SimpleNamespace(choice=lambda _: GUESS)  # type: ignore[attr-defined]

    def read(case: Case) -> str:
        module, row, results = utils[case.task.removesuffix("_test")], case.row, [case.output]
        if case.task == "videomme":
            return module.videomme_process_results(row, results)["videomme_perception_score"]["pred_answer"]
        if case.task in ("mlvu", "mlvu_test"):
            return module.mlvu_process_results(row, results)["mlvu_percetion_score"]["pred_answer"]
        if case.task == "mvbench":
            return next((letter for letter in "ABCDE" if module.mcq_acc(letter, case.output)), "")
        if case.task == "longvideobench":
            return module.longvideobench_process_results(row, results)["lvb_acc"]["parsed_pred"]
        place = module.egoschema_process_results_generation(row, results)["score"]["pred"]
        return GUESS if place < 0 else "ABCDE"[place]

    return read


def _stands_alone(letter: str, output: str, *, lower: bool = False) -> bool:
    pattern = rf"(?<![A-Za-z]){letter}(?![A-Za-z])"
    return re.search(pattern, output, re.IGNORECASE if lower else 0) is not None


def _article(output: str) -> bool:
    return re.search(r"\b[Aa] (?!(?:is|or|and|because)\b)[a-z]+", output) is not None


def kinds_of(case: Case, letter: str) -> set[str]:
    """The kinds of error that explain why lmms-eval reads `letter` where we read something else."""
    ours, output = case.ours, case.output
    kinds = set()
    if case.task == "mlvu_test" and ours in ("E", "F"):
        kinds.add("does not know options E and F")
    elif letter == GUESS:
        kinds.add("draws a letter")
    elif letter == "" and ours is not None:
        kinds.add("does not read a lower-case letter" if ours in output.upper().split() or
                  f"({ours})" in output.upper() else "does not read an option's text")  # fmt: skip
    elif letter and letter not in case.document.options:
        kinds.add("reads a letter that was not offered")
    elif letter and not _stands_alone(letter, output):
        kinds.add(
            "reads the article as A" if letter == "A" and _article(output) else "reads a letter inside a word"
        )
    elif letter == "A" and _article(output):
        kinds.add("reads the article as A")
    elif ours is None and letter:
        named = [other for other in case.document.options if _stands_alone(other, output)]
        kinds.add("picks one of two letters" if len(named) > 1 else "reads an option that is denied")
    elif ours is not None and letter:
        kinds.add("reads a letter that is only mentioned")
    return kinds


def documented() -> dict[str, set[str]]:
    """Kind to benchmarks, from the page's table."""
    table = PAGE.read_text(encoding="utf-8").split("## Where lmms-eval 0.7.3 errs")[1].split("\n## ")[0]
    found: dict[str, set[str]] = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] != "kind":
            found[cells[0]] = set(cells[1].split(", "))
    return found


def test_every_disagreement_is_a_documented_defect(theirs: Theirs) -> None:
    listed = documented()
    unexplained: list[str] = []
    seen: dict[str, set[str]] = {}
    for case in cases():
        letter = theirs(case)
        if letter == (case.ours or ""):
            continue
        kinds = kinds_of(case, letter)
        if not any(case.task in listed.get(kind, ()) for kind in kinds):
            unexplained.append(f"{case.task}: {case.output!r} ours {case.ours} theirs {letter!r} {kinds}")
        for kind in kinds:
            seen.setdefault(kind, set()).add(case.task)
    assert unexplained == []
    assert seen == listed


def test_plain_answers_are_read_alike(theirs: Theirs) -> None:
    """The forms that models mostly use; here a disagreement would be ours to mend."""
    for record in _rows(PROMPTS):
        empty = _case(record["task"], record["doc"], "")
        for template in ("R", "R.", "(R)", "R. {r}"):
            case = _case(record["task"], record["doc"], _filled(template, empty.document))
            assert theirs(case) == case.ours == empty.document.answer


def test_lmms_eval_indexes_our_tasks() -> None:
    from lmms_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(tasks_dir()), include_defaults=False)
    expected = {get_benchmark(name).lmms_task for name in benchmark_names()} | {"sf_mvbench"}
    assert set(manager.all_tasks) == expected
