"""Open answers: matched by their words, scored by the likeness of words (WUPS), or left to a judge.

WUPS is held to examples that are worked out by hand, to properties, and to nltk's own WordNet reader and
tagger over a small lexicon in WordNet's format: WordNet itself is on few machines.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_eval.benchmarks.annotations import check_document
from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.benchmarks.document import Document, MediaRef
from sf_eval.core.errors import DataError
from sf_eval.editions import words
from sf_eval.editions.scene import BRIGHT, DARK, DIRECTIONS
from sf_eval.harness.looking.kept_questions import document_of
from sf_eval.harness.recorded.samples import QuestionRecord
from sf_eval.scoring.lexicons import MINI, settling_of
from sf_eval.scoring.open_answers import wordnet as wordnet_module
from sf_eval.scoring.open_answers.matching import matches
from sf_eval.scoring.open_answers.wordnet import WordNet
from sf_eval.scoring.open_answers.wups import content_words, wups
from sf_eval.scoring.outcome import Outcome
from sf_eval.scoring.settling import Judgement, Settling, Truth

SOUND = json.loads((Path(__file__).parent / "sound_rows.json").read_text(encoding="utf-8"))
NEXTQA, ACTIVITYNET = get_benchmark("nextqa_oe"), get_benchmark("activitynetqa")


def row_of_nextqa(**changes: object) -> dict[str, object]:
    return {
        "video": 4010069381, "frame_count": 369, "width": 640, "height": 480, "qid": 6, "type": "TP",
        "question": "how do the two man play the instrument ", "answer": "roll the handle",
        "additional_ref_answer": None, **changes,
    }  # fmt: skip


def row_of_activitynet(**changes: object) -> dict[str, object]:
    return {
        "video_name": "1QIUV7WYKXg", "question": "is the athlete wearing trousers",
        "question_id": "1QIUV7WYKXg_3", "answer": "yes", "type": 3, **changes,
    }  # fmt: skip


# --- rows ---------------------------------------------------------------------------------------------------


def test_a_row_of_nextqa_asks_as_upstream_does() -> None:
    document = NEXTQA.read_row(7, row_of_nextqa(additional_ref_answer="turn it"))
    check_document(document, 7)
    assert document.prompt == (
        "how do the two man play the instrument\nAnswer a question using a short phrase or sentence."
    )
    assert (document.options, document.answer) == ({}, None)
    assert document.references == ("roll the handle", "turn it")
    assert document.id == "4010069381-6"
    assert document.categories == {"type": "TN"}  # upstream counts TP with TN
    assert document.media.candidates[:2] == ("NExTVideo/4010069381.mp4", "NExTVideo/4010069381.MP4")


def test_a_row_of_activitynet_asks_as_upstream_does() -> None:
    document = ACTIVITYNET.read_row(7, row_of_activitynet())
    check_document(document, 7)
    assert document.prompt == (
        "Is the athlete wearing trousers? Answer the question using a single word or phrase."
    )
    assert document.references == ("yes",)
    assert document.categories == {"type": "yes or no"}
    assert document.media.candidates[:3] == tuple(
        f"all_test/v_1QIUV7WYKXg.{suffix}" for suffix in ("mp4", "webm", "mkv")
    )


@pytest.mark.parametrize(
    ("name", "changes", "column"),
    [
        ("nextqa_oe", {"answer": " "}, "answer"),
        ("nextqa_oe", {"question": None}, "question"),
        ("nextqa_oe", {"video": "../../etc/passwd"}, "video"),
        ("nextqa_oe", {"answer": "a\x1b[31m"}, "answer"),
        ("activitynetqa", {"answer": ""}, "answer"),
        ("activitynetqa", {"video_name": "../v"}, "video_name"),
        ("activitynetqa", {"type": 9}, "type"),
        ("activitynetqa", {"type": "color"}, "type"),
    ],
)
def test_a_row_that_no_benchmark_has_names_its_column(
    name: str, changes: dict[str, object], column: str
) -> None:
    row = row_of_nextqa if name == "nextqa_oe" else row_of_activitynet
    with pytest.raises(DataError, match=f"row 3, column '{column}'"):
        get_benchmark(name).read_row(3, row(**changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"references": ()}, "0 options"),
        ({"references": ("a", "  ")}, "accepted answer is empty"),
        ({"options": {"A": "x", "B": "y"}}, "options and accepted answers"),
        ({"answer": "A"}, "none of the options"),
    ],
)
def test_a_question_has_options_or_accepted_answers(changes: dict[str, object], said: str) -> None:
    document = ACTIVITYNET.read_row(0, row_of_activitynet())
    with pytest.raises(DataError, match=said):
        check_document(replace(document, **changes), 0)


def test_questions_that_an_earlier_version_kept_are_read() -> None:
    document = get_benchmark("mlvu").read_row(0, SOUND["mlvu"])
    fields = {
        name: value
        for name, value in asdict(document).items()
        if name not in ("references", "asked_of_judge", "labels")
    }
    line = QuestionRecord.model_validate(
        {"schema_version": 1, "task": "mlvu", "digest": "d", "document": fields}
    )
    assert document_of(line) == document
    open_one = NEXTQA.read_row(0, row_of_nextqa(additional_ref_answer="turn it"))
    line = QuestionRecord(task="nextqa_oe", digest="d", document=asdict(open_one))
    assert document_of(QuestionRecord.model_validate_json(line.model_dump_json())) == open_one


# --- matching -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "accepted", "is_match"),
    [
        ("A red car.", "red car", True),
        ("ＴＨＥ  Red-car!", "red car", True),
        ("red cars", "red car", False),
        ("the", "a", False),  # no word of either
        ("", "", False),
        ("İstanbul", "i̇stanbul", True),
    ],
)
def test_words_match_without_case_width_marks_and_articles(said: str, accepted: str, is_match: bool) -> None:
    assert matches(said, ["something else", accepted]) is is_match


# --- WUPS by hand, over the mini editions' tree -------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "accepted", "score"),
    [
        ("red", "red", 1.0),
        ("It is red.", "the red", 1.0),  # "it", "is" and "the" are stop words
        # thing > colour > warm > red and orange: common depth 3, each of depth 4.
        ("red", "orange", 2 * 3 / 8),
        ("red", "blue", 2 * 2 / 8),
        ("red", "leftwards", 2 * 1 / 8),
        ("warm", "red", 2 * 3 / 7),
        ("left", "leftwards", 1.0),  # a form of it
        ("red", "zebra", 0.0),
        ("zebra", "zebra", 1.0),  # the same word needs no lexicon
        ("", "red", 0.0),
        ("the", "red", 0.0),
        # One way (of "red disc"): 1 for red, and the likest of disc is red: 2/7. The other way 1.
        ("red disc", "red", 2 / 7),
        # Nobody knows "zebra": it is passed over, as the authors' code does.
        ("red zebra", "red", 1.0),
        ("red", "red arrow", 2 / 7),
    ],
)
def test_wups_by_hand(said: str, accepted: str, score: float) -> None:
    assert wups(said, [accepted], MINI) == pytest.approx(score)
    assert wups(accepted, [said], MINI) == pytest.approx(score)


def test_the_best_accepted_answer_counts() -> None:
    assert wups("orange", ["blue", "red"], MINI) == pytest.approx(0.75)
    assert wups("orange", [], MINI) == 0.0


def test_a_threshold_leaves_a_tenth_of_what_is_below_it() -> None:
    assert wups("red", ["orange"], MINI, threshold=0.9) == pytest.approx(0.1 * 0.75)
    assert wups("red", ["orange"], MINI, threshold=0.75) == pytest.approx(0.75)
    assert wups("red", ["red"], MINI, threshold=0.9) == 1.0


PHRASES = st.lists(st.sampled_from([*words.PARENTS, "zebra", "the", "runs"]), min_size=1, max_size=4).map(
    " ".join
)


@given(PHRASES, PHRASES)
def test_wups_holds_together(one: str, other: str) -> None:
    score = wups(one, [other], MINI)
    assert 0 <= score <= 1
    assert wups(other, [one], MINI) == pytest.approx(score)
    assert wups(one, [one], MINI) == (1.0 if content_words(one, MINI) else 0.0)
    assert wups(one, [other], MINI, threshold=0.9) <= score + 1e-12
    assert wups(one, [other, one], MINI) >= score


def test_the_mini_tree_knows_every_word_that_the_mini_editions_answer_with() -> None:
    assert {*BRIGHT, *DARK, *DIRECTIONS} <= set(words.PARENTS)
    assert set(words.FORMS.values()) <= set(words.PARENTS)
    for word in words.PARENTS:
        assert MINI.likeness(word, word) == 1.0


# --- outcomes -----------------------------------------------------------------------------------------------


def settled(text: str, *references: str, kind: str = "DO") -> tuple[Outcome, float | None]:
    way = settling_of(NEXTQA, is_mini=True)
    found = way.settle_words(Truth({}, None, references, {"type": kind}), text)
    return found.outcome, found.credit


def test_how_nextqa_ends() -> None:
    assert settled("red", "red") == (Outcome.correct, 1.0)
    assert settled("orange", "red") == (Outcome.partial, 0.75)
    assert settled("zebra", "red") == (Outcome.wrong, 0.0)
    assert settled(" \n", "red") == (Outcome.no_answer, 0.0)
    assert settled("the", "red") == (Outcome.wrong, 0.0)


@pytest.mark.parametrize("kind", ["DC", "DB"])
def test_counts_and_yes_or_no_are_matched_whole(kind: str) -> None:
    assert settled("There are 2.", "two", kind=kind)[0] is Outcome.correct  # but for stop words
    assert settled("two people", "two", kind=kind) == (Outcome.wrong, 0.0)
    assert settled("2", "two", kind=kind)[0] is Outcome.correct
    assert settled("three", "two", kind=kind) == (Outcome.wrong, 0.0)
    assert settled("three", "two", kind="DO")[0] is Outcome.partial


def test_what_only_a_judge_can_tell_is_not_judged_without_one() -> None:
    truth = Truth({}, None, ("yes",))
    ways = {
        None: (Outcome.not_judged, None),
        Judgement(True, "said"): (Outcome.correct, 1.0),
        Judgement(False, "said"): (Outcome.wrong, 0.0),
        Judgement(None, "cut off"): (Outcome.judge_error, None),
    }
    for judgement, ended in ways.items():
        found = Settling(ACTIVITYNET).settle_words(truth, "yes", judgement=judgement)
        assert (found.outcome, found.credit) == ended
        assert found.answer is None
    assert not Outcome.not_judged.is_scored
    assert not Outcome.not_judged.is_failure
    assert Outcome.judge_error.is_failure


def test_letters_are_settled_as_ever() -> None:
    options = {"A": "Red", "B": "Blue"}
    document = Document(0, "id", "v", MediaRef(("a.mp4",)), None, "Which?", options, "B", {}, "Which?")
    way = Settling(get_benchmark("videomme"))
    assert way.settle(document, "B").credit == 1.0
    assert way.settle(document, "A").credit == 0.0
    assert way.settle(document, "None.").outcome is Outcome.no_answer
    hidden = way.settle(replace(document, answer=None), "B")
    assert (hidden.outcome, hidden.credit, hidden.answer) == (Outcome.unjudged, None, "B")


# --- WordNet's own format, read by nltk -------------------------------------------------------------------

# Synset: words, what it is a kind of. Offsets are the bytes at which the lines begin, as in WordNet.
NOUNS = {
    "entity": ((), ["entity"]),
    "animal": (("entity",), ["animal", "beast"]),
    "dog": (("animal",), ["dog"]),
    "cat": (("animal",), ["cat"]),
    "tool": (("entity",), ["tool"]),
    "wolf": (("animal",), ["wolf"]),
}
VERBS = {"move": ((), ["move"]), "run": (("move",), ["run"]), "walk": (("move",), ["walk"])}


def write_part(folder: Path, name: str, letter: str, synsets: dict) -> None:
    """`data.NAME` and `index.NAME`, as the format's manual (wndb(5WN)) has them."""

    def line(offset: int, kinds: tuple[str, ...], lemmas: list[str], at: dict) -> str:
        pointers = [f"@ {at[kind]:08d} {letter} 0000" for kind in kinds]
        spelt = " ".join(f"{lemma} 0" for lemma in lemmas)
        frames = " 00" if letter == "v" else ""
        end = f"{len(pointers):03d}{''.join(' ' + one for one in pointers)}{frames} | what {lemmas[0]} is  "
        return f"{offset:08d} 00 {letter} {len(lemmas):02x} {spelt} {end}\n"

    head = "  1 This is a lexicon for tests. WordNet 3.0 Copyright of nobody.  \n"
    at: dict[str, int] = dict.fromkeys(synsets, 0)
    place = len(head)
    for key, (kinds, lemmas) in synsets.items():
        at[key] = place
        place += len(line(place, kinds, lemmas, at))  # offsets are of one width
    body = "".join(line(at[key], *synset, at) for key, synset in synsets.items())
    (folder / f"data.{name}").write_text(head + body)
    entries = sorted((lemma, at[key]) for key, (_, lemmas) in synsets.items() for lemma in lemmas)
    index = "".join(f"{lemma} {letter} 1 1 @ 1 0 {offset:08d}  \n" for lemma, offset in entries)
    (folder / f"index.{name}").write_text(head + index)


@pytest.fixture(scope="module")
def nltk_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as nltk's downloader makes it: a small lexicon, and a tagger trained on a few sentences."""
    import nltk
    from nltk.tag import PerceptronTagger

    root = tmp_path_factory.mktemp("nltk_data")
    corpus = root / "corpora" / "wordnet"
    corpus.mkdir(parents=True)
    for name, letter, synsets in (
        ("noun", "n", NOUNS), ("verb", "v", VERBS), ("adj", "a", {}), ("adv", "r", {}),
    ):  # fmt: skip
        write_part(corpus, name, letter, synsets)
        (corpus / f"{name}.exc").write_text("wolves wolf\n" if name == "noun" else "ran run\n")
    (corpus / "lexnames").write_text("00\tall\t1\n")
    (corpus / "index.sense").write_text("")
    (corpus / "cntlist.rev").write_text("")
    sentences = [
        [("the", "DT"), ("dogs", "NNS"), ("ran", "VBD")],
        [("a", "DT"), ("cat", "NN"), ("walks", "VBZ")],
        [("the", "DT"), ("wolves", "NNS"), ("run", "VBP")],
        [("he", "PRP"), ("ran", "VBD")],
    ]
    nltk.data.path.insert(0, str(root))
    tagger = PerceptronTagger(load=False)
    tagger.train(sentences * 5, nr_iter=5)
    folder = root / "taggers" / "averaged_perceptron_tagger_eng"
    folder.mkdir(parents=True)
    tagger.save_to_json(lang="eng", loc=str(folder))
    return root


@pytest.fixture
def lexicon(nltk_data: Path) -> WordNet:
    wordnet_module.wordnet.cache_clear()
    yield wordnet_module.wordnet()
    wordnet_module.wordnet.cache_clear()


def test_words_are_read_from_files_in_wordnet_format(lexicon: WordNet) -> None:
    assert lexicon.name == "WordNet 3.0"
    assert lexicon.lemmas("The wolves ran.") == ["the", "wolf", "run", "."]
    assert lexicon.lemmas("A cat walks") == ["a", "cat", "walk"]
    assert lexicon.lemmas("Zyzzyvas!") == ["zyzzyvas", "!"]  # no lexicon's word, nor is its stem


def test_likeness_is_wu_and_palmers(lexicon: WordNet) -> None:
    # entity has depth 1, animal 2, dog and cat 3.
    assert lexicon.likeness("dog", "cat") == pytest.approx(2 * 2 / (3 + 3))
    assert lexicon.likeness("dog", "animal") == pytest.approx(2 * 2 / (3 + 2))
    assert lexicon.likeness("beast", "animal") == 1.0
    assert lexicon.likeness("dog", "tool") == pytest.approx(2 * 1 / (3 + 2))
    assert lexicon.likeness("dog", "zebra") == 0.0
    assert lexicon.likeness("zebra", "zebra") == 0.0
    for one, other in (("dog", "tool"), ("wolf", "beast"), ("run", "walk")):
        assert lexicon.likeness(one, other) == pytest.approx(lexicon.likeness(other, one))
    # nltk's own is not symmetric between a verb and its kind, nor between parts of speech; WUPS still is,
    # since both ways are taken.
    assert lexicon.likeness("move", "walk") != lexicon.likeness("walk", "move")
    for one, other in (("move", "walk"), ("dog", "run")):
        assert wups(one, [other], lexicon) == wups(other, [one], lexicon)


def test_wups_over_such_files(lexicon: WordNet) -> None:
    assert wups("the dogs ran", ["a cat walks"], lexicon) == pytest.approx(
        (2 * 2 / 6) * lexicon.likeness("run", "walk")
    )
    assert wups("the dogs ran", ["dog run"], lexicon) == 1.0
    assert wups("the dogs", ["cats"], lexicon, threshold=0.9) == pytest.approx(0.1 * 2 * 2 / 6)


def test_without_wordnet_there_is_no_score_and_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import nltk

    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    wordnet_module.wordnet.cache_clear()
    with pytest.raises(DataError, match="corpora/wordnet and taggers/averaged_perceptron_tagger_eng") as told:
        settling_of(NEXTQA, is_mini=False)
    assert "python -m nltk.downloader wordnet averaged_perceptron_tagger_eng" in told.value.hint
    settling_of(ACTIVITYNET, is_mini=False)  # needs none
    settling_of(NEXTQA, is_mini=True)
