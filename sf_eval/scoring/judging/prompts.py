"""The prompts that judges are asked by, each with how its verdict is read.

They carry over the words of the benchmarks' own evaluations, as lmms-eval 0.7.3's tasks have them; only the
form of the verdict is ours: JSON, which is validated, where theirs is a Python dictionary or free text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from string import Template

from sf_eval.benchmarks.document import Benchmark, Document
from sf_eval.benchmarks.options import LETTERS
from sf_eval.scoring.judging.verdict import VerdictError, chosen, yes_or_no

_OR = " or "
_FIRST_OPTION = re.compile(r"A[.)]\s")


@dataclass(frozen=True)
class JudgePrompt:
    """What a judge is asked.

    Attributes:
        system, user: the two messages; `user` names $question, $answer and $output.
        read: whether the judge calls the answer right; raises VerdictError for what is no verdict.
    """

    name: str
    system: str
    user: str
    read: Callable[[str, Document], bool]

    @property
    def digest(self) -> str:
        """SHA-256 of its words."""
        return hashlib.sha256(f"{self.system}\0{self.user}".encode()).hexdigest()

    def messages(self, document: Document, output: str) -> list[dict[str, str]]:
        """The messages about a model's words, as the API takes them."""
        filled = Template(self.user).substitute(
            question=document.asked_of_judge or document.question,
            answer=_OR.join(document.references),
            output=output,
        )
        return [{"role": "system", "content": self.system}, {"role": "user", "content": filled}]


def _says_yes(said: str, _: Document) -> bool:
    return yes_or_no(said)


def _chooses_right(said: str, document: Document) -> bool:
    """Whether the option that the judge takes from the words is the right one ("B. swimming")."""
    letter = chosen(said, _offered(document.asked_of_judge))
    return any(reference.split(".")[0].strip().upper() == letter for reference in document.references)


def _offered(asked: str) -> str:
    """The letters of the options that a question's text ends with, one a line, A first."""
    lines = [line.strip() for line in asked.splitlines() if line.strip()]
    first = next((place for place, line in enumerate(lines) if _FIRST_OPTION.match(line)), len(lines))
    return LETTERS[: len(lines) - first]


_MATCH = JudgePrompt(
    "activitynetqa",
    "You are an intelligent chatbot designed for evaluating the correctness of generative outputs for "
    "question-answer pairs. Your task is to compare the predicted answer with the correct answer and "
    "determine if they match meaningfully. Here's how you can accomplish the task:\n"
    "------\n"
    "##INSTRUCTIONS:\n"
    "- Focus on the meaningful match between the predicted answer and the correct answer.\n"
    "- Consider synonyms or paraphrases as valid matches.\n"
    "- Evaluate the correctness of the prediction compared to the answer.",
    "Please evaluate the following video-based question-answer pair:\n\n"
    "Question: $question\n"
    "Correct Answer: $answer\n"
    "Predicted Answer: $output\n\n"
    "Provide your evaluation only as a yes/no and score where the score is an integer value between 0 and 5, "
    "with 5 indicating the highest meaningful match. Please generate the response in the form of a JSON "
    'object with keys "pred" and "score", where the value of "pred" is the string "yes" or "no" and the '
    'value of "score" is an integer. DO NOT PROVIDE ANY OTHER OUTPUT TEXT OR EXPLANATION. Only provide the '
    'JSON object. For example, your response should look like this: {"pred": "yes", "score": 4}.',
    _says_yes,
)

_CAPTION = JudgePrompt(
    "tempcompass_captioning",
    "You are an AI assistant for question answering.",
    "You will receive a video description and a multi-choice question. Your task is to choose the correct "
    "answer by the description alone. If none of the choices is correct, or the description lacks enough "
    'information to answer the question, choose "none".\n\n'
    "Examples of a description, a question and the expected choice:\n"
    "Description: A person is playing football. Question: What is the person doing in the video? A. cooking "
    'B. playing football C. playing basketball D. reading book. Choice: {"answer": "B"}\n'
    "Description: A bird is flying clockwise. Question: In which direction is the bird flying? A. backward "
    'B. counter-clockwise C. clockwise D. downward. Choice: {"answer": "C"}\n'
    "Description: An air balloon is inflating. Question: What is happening to the air balloon? A. exploding "
    'B. getting smaller C. flying. Choice: {"answer": "none"}\n\n'
    "Video Description: $output\n"
    "Multi-Choice Question:\n"
    "$question\n\n"
    'Respond with a JSON object whose only key is "answer" and whose value is the choice\'s letter or '
    '"none". DO NOT PROVIDE ANY OTHER OUTPUT TEXT.',
    _chooses_right,
)

PROMPTS = {prompt.name: prompt for prompt in (_MATCH, _CAPTION)}


def prompt_of(benchmark: Benchmark) -> JudgePrompt:
    """What a judge is asked about answers to `benchmark`.

    Raises:
        KeyError: an adapter names a prompt that there is not.
    """
    return PROMPTS[benchmark.judge_prompt]


__all__ = ["PROMPTS", "JudgePrompt", "VerdictError", "prompt_of"]
