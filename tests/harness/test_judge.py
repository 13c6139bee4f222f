"""A judge is asked about each open answer once, whatever its server does meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from loopback_endpoint import MODEL, LoopbackEndpoint, serving

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.core.errors import CheckpointError, UsageError
from sf_eval.harness.asked.document import AskedDocument
from sf_eval.harness.judged import judge as judge_module
from sf_eval.harness.judged.judge import judge_run
from sf_eval.harness.judged.judgements import (
    JUDGEMENTS,
    JudgementsFile,
    JudgeName,
    judged_tasks,
    read_judgements,
)
from sf_eval.harness.judged.settings import JudgeSettings
from sf_eval.harness.record import RunFacts, Usage
from sf_eval.harness.rescoring import KeptRun
from sf_eval.harness.stopped import InterruptedRunError
from sf_eval.inference import Answer, Failure, FailureKind, QuestionKey, StageTimings
from sf_eval.scoring.judging.prompts import PROMPTS, prompt_of
from sf_eval.scoring.judging.verdict import VerdictError, chosen, yes_or_no
from sf_eval.scoring.settling import Judgement

KEY = "sk-a-secret-of-the-judge"
YES, NO = '{"pred": "yes", "score": 5}', '{"pred": "no", "score": 0}'
TASK = "activitynetqa"
BENCHMARK = get_benchmark(TASK)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackEndpoint]:
    monkeypatch.setenv("SF_EVAL_JUDGE_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another")
    with serving() as endpoint:
        endpoint.says = lambda body: YES if "Predicted Answer: red" in body["messages"][1]["content"] else NO
        yield endpoint


def judge(server: LoopbackEndpoint, **changes: Any) -> JudgeSettings:
    return JudgeSettings(server.url, MODEL, **{"retries": 2, **changes})


def kept(folder: Path, *outputs: str | None) -> KeptRun:
    """A run with an open question each, answered so; None failed."""
    folder.mkdir(exist_ok=True)
    documents, results = [], {}
    for number, output in enumerate(outputs):
        row = {
            "video_name": f"v{number}", "question": f"what colour is bus {number}", "answer": "red",
            "question_id": str(number), "type": 4,
        }  # fmt: skip
        key = QuestionKey(TASK, number)
        documents.append(AskedDocument(key, BENCHMARK.read_row(number, row), None))
        timings = StageTimings(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1)
        results[key] = (
            Failure(key, FailureKind.TIMEOUT, "too slow")
            if output is None
            else Answer(key, "?", output, 0, (), 9, 0, 0, 1, "stop", timings)
        )
    usage = Usage(seconds=None, memory=None)
    return KeptRun(folder, cast(RunFacts, None), documents, results, frozenset(), usage)


def alike(folder: Path, count: int) -> KeptRun:
    """A run whose questions and answers are all the same."""
    run = kept(folder, *["red"] * count)
    asked = [
        replace(one, document=replace(one.document, question="what colour is the bus"))
        for one in run.documents
    ]
    return replace(run, documents=asked)


def verdicts(run: KeptRun) -> list[bool | str | None]:
    """What each question's judgement is now; "none" without one."""
    asked = [(one.key, one.document) for one in run.documents]
    judged = judged_tasks(run.folder, asked, run.results)
    rows = judged[TASK].by_row if TASK in judged else {}
    return [rows[number].right if number in rows else "none" for number in range(len(run.documents))]


# --- what is asked and what is read -------------------------------------------------------------------------


def test_a_judge_is_asked_at_temperature_0_by_the_benchmarks_words(
    server: LoopbackEndpoint, tmp_path: Path
) -> None:
    assert judge_run(kept(tmp_path, "A {question} $answer red one"), judge(server)) == 1
    (sent,) = server.sent
    assert (sent["model"], sent["temperature"]) == (MODEL, 0)
    system, user = sent["messages"]
    assert system["content"].startswith("You are an intelligent chatbot designed for evaluating")
    assert "Question: what colour is bus 0\nCorrect Answer: red\n" in user["content"]
    assert "Predicted Answer: A {question} $answer red one\n" in user["content"]
    assert server.keys == [f"Bearer {KEY}"]  # its own key before that of models
    assert KEY not in (tmp_path / JUDGEMENTS).read_text()


def test_captions_are_judged_by_the_option_that_they_tell() -> None:
    document = kept(Path("/tmp"), "x").documents[0].document
    document = replace(document, references=("B. swimming",), asked_of_judge="What?\nA. flying\nB. swimming")
    prompt = PROMPTS["tempcompass_captioning"]
    user = prompt.messages(document, "A fish swims.")[1]["content"]
    assert "Video Description: A fish swims.\nMulti-Choice Question:\nWhat?\nA. flying\nB. swimming" in user
    assert prompt.read('{"answer": "B"}', document) is True
    assert prompt.read('{"answer": "none"}', document) is False
    assert prompt.read('```json\n{"answer": "a"}\n```', document) is False
    for letter in "CH":  # the question offers two options
        with pytest.raises(VerdictError, match="an option that there is not"):
            prompt.read(f'{{"answer": "{letter}"}}', document)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        (YES, True),
        (NO, False),
        ('{"score": 3, "pred": " Yes "}', True),
        ('```json\n{"pred": "no", "score": 1}\n```', False),
        ('```\n{"pred": "no", "score": 1}\n```', False),
    ],
)
def test_a_verdict_is_one_json_object(said: str, right: bool) -> None:
    assert yes_or_no(said) is right


@pytest.mark.parametrize(
    "said",
    [
        "", "yes", "The answer is yes.", "{'pred': 'yes', 'score': 4}", '{"pred": "yes"}', '{"score": 5}',
        '{"pred": "maybe", "score": 2}', '{"pred": "yes", "score": 9}', '{"pred": "yes", "score": "5"}',
        '{"pred": "yes", "score": 4.8}', '{"pred": true, "score": 5}', f"{YES} I am sure.", f"{YES}{NO}",
        f"[{YES}]", '{"pred": ["yes"], "score": 5}', "null",
        '{"pred": "yes", "score": 5, "reason": "so"}', '{"pred": "no", "score": 0, "pred": "yes"}',
        '{"pred": "yes", "score": 4, "score": 4}', '{"pred": "yes", "score": NaN}', "[" * 100_000,
        f'{{"pred": "yes", "score": {"9" * 5000}}}', '{"pred": "\\ud800", "score": 1}',
    ],
)  # fmt: skip
def test_anything_else_is_no_verdict(said: str) -> None:
    with pytest.raises(VerdictError):
        yes_or_no(said)


@pytest.mark.parametrize(
    "said",
    [
        "B", '{"answer": "Z"}', '{"answer": "AB"}', '{"answer": 1}', "{}", '{"answer": "D"}',
        '{"answer": "B", "why": "so"}', '{"answer": "A", "answer": "B"}',
    ],
)  # fmt: skip
def test_nor_is_it_a_choice(said: str) -> None:
    with pytest.raises(VerdictError):
        chosen(said, "ABC")


# --- a server that misbehaves -------------------------------------------------------------------------------


@pytest.mark.parametrize("misdeed", ["busy", "broken", "cut", "slow"])
def test_what_passes_is_tried_again(server: LoopbackEndpoint, tmp_path: Path, misdeed: str) -> None:
    run = kept(tmp_path, "red")
    server.misdeeds.extend([misdeed, misdeed])
    judge_run(run, judge(server, timeout_s=0.5))
    assert verdicts(run) == [True]
    assert len(server.sent) == 3


@pytest.mark.parametrize(
    ("misdeed", "said", "requests"),
    [
        ("busy", "429", 3), ("broken", "500", 3), ("cut", "", 3), ("slow", "asked 3 times", 3),
        ("nonsense", "", 1), ("elsewhere", "no text", 1), ("wordless", "no text", 1),
        ("filtered", "content_filter", 1), ("echoing", "Bearer ***", 1), ("moved", "307", 1),
        ("telling", "for Bearer ***", 1),
    ],
)  # fmt: skip
def test_what_stays_wrong_is_an_error_of_its_answer_alone_and_asked_again(
    server: LoopbackEndpoint, tmp_path: Path, misdeed: str, said: str, requests: int
) -> None:
    run = kept(tmp_path, "red")
    server.always = misdeed
    judge_run(run, judge(server, timeout_s=0.3))
    assert verdicts(run) == [None]
    assert len(server.sent) == requests
    (judgement,) = read_judgements(tmp_path).by_key.values()
    assert said in judgement.said
    assert KEY not in (tmp_path / JUDGEMENTS).read_text()
    server.always = ""
    assert judge_run(run, judge(server)) == 1
    assert verdicts(run) == [True]


def test_words_that_are_no_verdict_are_no_answer(server: LoopbackEndpoint, tmp_path: Path) -> None:
    run = kept(tmp_path, "red", "blue", "green")
    server.says = lambda body: "I would say yes" if "blue" in body["messages"][1]["content"] else NO
    judge_run(run, judge(server))
    assert verdicts(run) == [False, None, False]


@pytest.mark.parametrize(
    "says",
    [
        lambda key: f"Authorized by {key}; yes",
        lambda key: f'{{"pred": "yes", "score": 5, "key": "{key}"}}',
        lambda key: f'{{"pred": "{key}", "score": 5}}',
        lambda key: "x" * 190 + key,  # where an error's words are cut
    ],
)
def test_a_judge_that_repeats_its_key_puts_it_into_no_file(
    server: LoopbackEndpoint, tmp_path: Path, says: Any
) -> None:
    run = kept(tmp_path, "red")
    server.says = lambda _: says(KEY)
    judge_run(run, judge(server))
    assert verdicts(run) == [None]
    assert KEY[:12] not in (tmp_path / JUDGEMENTS).read_text()


def test_a_word_that_stands_where_a_key_would_changes_no_verdict(
    server: LoopbackEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers of one's own take any key, and people give them "x" or "yes"."""
    monkeypatch.setenv("SF_EVAL_JUDGE_KEY", "yes")
    run = kept(tmp_path, "red")
    judge_run(run, judge(server))
    assert verdicts(run) == [True]


def test_a_refused_key_asks_nothing_more(server: LoopbackEndpoint, tmp_path: Path) -> None:
    run = kept(tmp_path, *["red"] * 40)
    server.always = "locked"
    judge_run(run, judge(server))
    assert verdicts(run) == [None] * 40
    assert len(server.sent) <= 16  # those on their way when the first came back


def test_a_judge_that_never_gives_a_verdict_is_left_alone(server: LoopbackEndpoint, tmp_path: Path) -> None:
    run = kept(tmp_path, *["red"] * 60)
    server.says = lambda _: "yes"
    judge_run(run, judge(server))
    assert verdicts(run) == [None] * 60
    assert 20 <= len(server.sent) <= 36


def test_empty_answers_are_wrong_whatever_the_judge_does(server: LoopbackEndpoint, tmp_path: Path) -> None:
    """Nobody is asked about them: they are no sign that somebody judges, and none that nobody does."""
    run = kept(tmp_path, *["red", " "] * 50)
    server.says = lambda _: "yes"
    judge_run(run, judge(server))
    assert verdicts(run) == [None, False] * 50
    assert 20 <= len(server.sent) <= 36


# --- what is kept -------------------------------------------------------------------------------------------


def test_nothing_is_asked_twice(server: LoopbackEndpoint, tmp_path: Path) -> None:
    run = kept(tmp_path, "red", "blue", None, " ")
    assert judge_run(run, judge(server)) == 3
    assert verdicts(run) == [True, False, "none", False]
    assert len(server.sent) == 2  # nobody is asked whether no words are right
    assert judge_run(run, judge(server)) == 0
    assert len(server.sent) == 2
    other = kept(tmp_path, "red", "a blue one", None, " ")
    assert judge_run(other, judge(server)) == 1
    assert verdicts(other) == [True, False, "none", False]


def test_equal_questions_are_one_request_and_one_failure(server: LoopbackEndpoint, tmp_path: Path) -> None:
    run = alike(tmp_path, 40)
    server.says = lambda _: "I would say yes"
    assert judge_run(run, judge(server)) == 1
    assert len(server.sent) == 1
    assert verdicts(run) == [None] * 40
    (failed,) = read_judgements(tmp_path).by_key.values()
    assert "I would say yes" in failed.said  # not given up after 20 in a row: it was one
    server.says = lambda _: YES
    assert judge_run(run, judge(server)) == 1
    assert verdicts(run) == [True] * 40


def test_a_failure_takes_no_verdict_back(server: LoopbackEndpoint, tmp_path: Path) -> None:
    """Runs that were judged when equal questions were asked one by one hold such lines."""
    run = kept(tmp_path, "red")
    judge_run(run, judge(server))
    ((_, key),) = read_judgements(tmp_path).by_key
    prompt = prompt_of(BENCHMARK)
    name = JudgeName(MODEL, server.url, prompt.name, prompt.digest)
    with JudgementsFile(tmp_path) as file:
        file.append(key, name, Judgement(None, "no answer within 60 s"))
    assert verdicts(run) == [True]
    assert judge_run(run, judge(server)) == 0


def test_another_address_is_another_judge(server: LoopbackEndpoint, tmp_path: Path) -> None:
    run = kept(tmp_path, "red", "blue")
    judge_run(run, judge(server))
    with serving() as other:
        other.says = lambda _: NO
        assert judge_run(run, judge(other)) == 2
        assert len(other.sent) == 2
        assert verdicts(run) == [False, False]
        judged = judged_tasks(tmp_path, [(one.key, one.document) for one in run.documents], run.results)
        assert judged[TASK].judge.base_url == other.url
    assert judge_run(run, judge(server)) == 0
    assert verdicts(run) == [True, False]


def test_another_judge_is_asked_anew_and_the_last_one_counts(
    server: LoopbackEndpoint, tmp_path: Path
) -> None:
    run = kept(tmp_path, "red")
    judge_run(run, judge(server))
    server.says = lambda _: NO
    judge_run(run, JudgeSettings(server.url, "another/judge"))
    assert verdicts(run) == [False]
    assert judge_run(run, judge(server)) == 0
    assert verdicts(run) == [True]
    judged = judged_tasks(tmp_path, [(one.key, one.document) for one in run.documents], run.results)
    assert judged[TASK].judge.model == MODEL
    assert judged[TASK].judge.prompt_digest == prompt_of(BENCHMARK).digest


def test_a_line_that_is_damaged_or_half_written_is_asked_again(
    server: LoopbackEndpoint, tmp_path: Path
) -> None:
    run = kept(tmp_path, "red", "blue", "green")
    judge_run(run, judge(server))
    path = tmp_path / JUDGEMENTS
    first, *rest = path.read_bytes().split(b"\n")[:-1]
    damaged = [first, rest[0].replace(b"true", b"null").replace(b"false", b"true"), *rest[1:]]
    path.write_bytes(b"\n".join([*damaged[:-1], damaged[-1][:20]]))
    assert judge_run(run, judge(server)) == 2
    assert verdicts(run) == [True, False, False]


def test_ctrl_c_keeps_what_was_judged(server: LoopbackEndpoint, tmp_path: Path) -> None:
    run = kept(tmp_path, *(f"red {number}" for number in range(30)))

    def stop(_: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedRunError, match="5 of 30 answers"):
        judge_run(run, judge(server), stop)
    assert [found for found in verdicts(run) if found is not True] == ["none"] * 25
    assert judge_run(run, judge(server)) == 25
    assert verdicts(run) == [True] * 30


def test_answers_are_asked_about_a_bounded_number_at_a_time(server: LoopbackEndpoint, tmp_path: Path) -> None:
    now, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(judge_module.AT_ONCE)

    def says(_: Any) -> str:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait(20)  # nobody goes on before as many as may be asked at a time are
        with lock:
            now -= 1
        return YES

    server.says = says
    judge_run(kept(tmp_path, *(str(number) for number in range(3 * judge_module.AT_ONCE))), judge(server))
    assert most == judge_module.AT_ONCE


# --- what is refused before anything is asked ---------------------------------------------------------------


def test_a_judge_that_is_none_is_refused_early(server: LoopbackEndpoint, tmp_path: Path) -> None:
    judge(server).check()
    with pytest.raises(UsageError, match="does not serve"):
        JudgeSettings(server.url, "gpt-none").check()
    for address in (
        "localhost:8000", "ftp://x/v1", f"http://me:{KEY}@localhost/v1", "http://x/v1?key=k",
        "http://[::1", "http://[::1]x/v1", "http://[::z]/v1", "http://h:port/v1", "http://h:99999/v1",
        "http://a b/v1", "http://h/v1\x01", "http://\N{SNOWMAN}\u2028/v1", "http://:8000/v1",
    ):  # fmt: skip
        with pytest.raises(UsageError, match="--judge"):
            JudgeSettings(address, "m")
    with pytest.raises(UsageError, match="--judge-model is empty"):
        JudgeSettings(server.url, " ")
    server.shutdown()
    server.server_close()
    with pytest.raises(CheckpointError, match="nobody answers"):
        judge(server, retries=0).check()
    letters = kept(tmp_path, None)
    with pytest.raises(UsageError, match="no answer"):
        judge_run(letters, judge(server))


def test_judgements_are_lines_that_tell_when_they_are_damaged(
    server: LoopbackEndpoint, tmp_path: Path
) -> None:
    judge_run(kept(tmp_path, "red"), judge(server))
    for line in (tmp_path / JUDGEMENTS).read_text().splitlines():
        value = json.loads(line.partition(" ")[2])
        assert set(value) == {"v", "digest", "judge", "right", "said"}
    assert Judgement(True, YES) in read_judgements(tmp_path).by_key.values()
