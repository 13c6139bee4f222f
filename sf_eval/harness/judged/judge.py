"""Asks a judge about every open answer of a kept run that it gave no verdict on yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from sf_eval.benchmarks import catalog
from sf_eval.benchmarks.document import Document
from sf_eval.core.chat import ChatClient, Unanswered
from sf_eval.core.errors import UsageError
from sf_eval.harness.judged.judgements import JudgementsFile, JudgeName
from sf_eval.harness.judged.settings import JudgeSettings
from sf_eval.harness.rescoring import KeptRun
from sf_eval.harness.stopped import InterruptedRunError
from sf_eval.inference import Answer
from sf_eval.scoring.judging.prompts import JudgePrompt, VerdictError, prompt_of
from sf_eval.scoring.settling import Judgement

Progress = Callable[[str, int, int], None]

AT_ONCE = 8
_MAX_TOKENS = 256  # a verdict has about 15; some models think first
_KEPT = 2000  # characters of what a judge says
_GIVE_UP_AFTER = 20
"""So many answers one after the other without a verdict: nobody there judges, and the rest is not asked."""


def judge_run(run: KeptRun, settings: JudgeSettings, progress: Progress | None = None) -> int:
    """Ask the judge what it was not asked yet; every judgement is on disk before the next is waited for.

    Args:
        progress: told (what, done, total).

    Returns:
        How many answers were asked about; the same words on equal questions are one.

    Raises:
        UsageError: the run has no answer that a judge is needed for.
        InterruptedRunError: Ctrl-C; what was judged is kept.
        OutputError: the folder cannot be written.
    """
    waiting = list(_answers(run))
    if not waiting:
        raise UsageError(
            f"no answer in {run.folder} needs a judge.",
            hint="Leave --judge out: letters and words settle it.",
        )
    with JudgementsFile(run.folder) as file:
        for prompt in {one.prompt.name: one.prompt for one in waiting}.values():
            file.name_last(_name(settings, prompt))
        by_key = {one.key(settings): one for one in waiting}
        asking = [
            one for key, one in by_key.items() if not file.kept.has_verdict(key, _name(settings, one.prompt))
        ]
        _Judging(settings, file, asking, progress or (lambda *_: None)).run()
    return len(asking)


def needs_judge(run: KeptRun) -> bool:
    """Whether the run has an answer that only a judge can tell of."""
    return any(True for _ in _answers(run))


@dataclass(frozen=True)
class _Answered:
    """Words that a judge is needed for."""

    document: Document
    output: str
    prompt: JudgePrompt

    def key(self, settings: JudgeSettings) -> str:
        return _name(settings, self.prompt).key(self.document, self.output)


def _answers(run: KeptRun) -> Iterator[_Answered]:
    for asked in run.documents:
        benchmark = catalog.get_benchmark(asked.key.task)
        result = run.results.get(asked.key)
        if benchmark.settled_by == "judge" and isinstance(result, Answer) and asked.document.references:
            yield _Answered(asked.document, result.text, prompt_of(benchmark))


@dataclass
class _Judging:
    """One pass over the answers, a bounded number of them at a time."""

    settings: JudgeSettings
    file: JudgementsFile
    asking: Sequence[_Answered]
    progress: Progress
    done: int = 0
    in_vain: int = 0
    lost: str = ""
    flying: dict[Future[Judgement | Unanswered], _Answered] = field(default_factory=dict)

    def run(self) -> None:
        client = self.settings.client()
        left = iter(self.asking)
        pool = ThreadPoolExecutor(max_workers=AT_ONCE)
        try:
            self._show()
            while self._fill(pool, client, left) or self.flying:
                for future in wait(self.flying, return_when=FIRST_COMPLETED).done:
                    self._take(self.flying.pop(future), future.result())
        except KeyboardInterrupt:
            raise InterruptedRunError(
                f"interrupted after {self.done} of {len(self.asking)} answers were judged; what was judged "
                f"is kept in {self.file.path}.",
                hint="Run the same command again to go on.",
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            client.close()  # ends what is still on its way

    def _fill(self, pool: ThreadPoolExecutor, client: ChatClient, left: Iterator[_Answered]) -> bool:
        """Ask the next ones; whether there was any."""
        filled = False
        while len(self.flying) < AT_ONCE and (one := next(left, None)) is not None:
            filled = True
            if not one.output.strip():
                self._keep(one, Judgement(False, "The answer is empty; no judge was asked."))
            elif self.lost:
                self._keep(one, Judgement(None, self.lost))
            else:
                self.flying[pool.submit(_ask, client, one)] = one
        return filled

    def _take(self, one: _Answered, got: Judgement | Unanswered) -> None:
        judgement = Judgement(None, got.reason) if isinstance(got, Unanswered) else got
        self.in_vain = 0 if judgement.right is not None else self.in_vain + 1
        if isinstance(got, Unanswered) and got.kind == "lost":
            self.lost = got.reason
        elif self.in_vain >= _GIVE_UP_AFTER and not self.lost:
            self.lost = f"not asked, since {self.in_vain} answers had no verdict, the last: {judgement.said}"
        self._keep(one, judgement)

    def _keep(self, one: _Answered, judgement: Judgement) -> None:
        self.file.append(one.key(self.settings), _name(self.settings, one.prompt), judgement)
        self.done += 1
        self._show()

    def _show(self) -> None:
        self.progress(f"judging by {self.settings.model}", self.done, len(self.asking))


def _name(settings: JudgeSettings, prompt: JudgePrompt) -> JudgeName:
    return JudgeName(settings.model, settings.base_url, prompt.name, prompt.digest)


def _ask(client: ChatClient, one: _Answered) -> Judgement | Unanswered:
    reply = client.ask(one.prompt.messages(one.document, one.output), _MAX_TOKENS)
    if isinstance(reply, Unanswered):
        return reply
    try:
        return Judgement(one.prompt.read(reply.text, one.document), reply.text[:_KEPT])
    except VerdictError as error:
        return Judgement(None, str(error))
