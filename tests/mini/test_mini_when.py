"""`sf-eval mini when`: nothing but its place among the frames says when an event was."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from sf_eval.cli.mini import command
from sf_eval.core.errors import OutputError
from sf_eval.core.marked import filled
from sf_eval.core.paths import PACKAGE
from sf_eval.editions.scene import event_at
from sf_eval.model.processor import SlowFastProcessor
from sf_eval.model.tokens import sampled_frames
from sf_eval.training import stages
from sf_eval.training.footage import Video
from sf_eval.training.store import Store
from sf_eval.training.when.learning import BUDGETS, MINI, ROPES, Budget, film, learn, load_mini, settings
from sf_eval.training.when.page import PAGE, blocks
from sf_eval.training.when.questions import WHEN_KINDS, WhenAsker, answers
from sf_eval.training.when.report import WhenReport, finding
from sf_eval.training.when.videos import draw_when_scenes, is_late, moved

ROOT = PACKAGE.parent
FRAMES = 128


def rearranged(seed: int) -> tuple[Video, Video]:
    """A video whose frames are called by their numbers, and the same frames with its events elsewhere."""
    scene = draw_when_scenes("any", 1)[0]
    video = Video(scene, torch.arange(FRAMES)[:, None])
    return video, moved(video, random.Random(seed))


def test_events_lie_between_the_frames_of_the_fast_path():
    looked_at = sampled_frames(FRAMES, 2, 16)
    for scene in draw_when_scenes("any", 40):
        shown = [event_at(scene, frame) for frame in scene.ticks]
        assert sorted(filter(None, shown)) == ["bars", "card", "disc"]
        assert not {"disc", "bars"} & {shown[frame] for frame in looked_at}


def test_what_is_behind_an_event_does_not_say_when_it_is():
    scenes = draw_when_scenes("any", 600)
    behind: Counter[tuple[bool, bool]] = Counter()
    for scene in scenes:
        assert scene.mover == ""
        assert scene.backgrounds == scene.backgrounds[::-1]
        behind[scene.disc_background == scene.backgrounds[0], is_late(scene.disc_tick)] += 1
    for first in (True, False):
        early, late = behind[first, False], behind[first, True]
        assert abs(early - late) < 4 * (early + late) ** 0.5, behind


def test_a_moved_event_is_the_same_video_in_another_order():
    orders, truths = set(), set()
    for seed in range(20):
        video, other = rearranged(seed)
        order = other.features[:, 0].tolist()
        assert sorted(order) == list(range(FRAMES))
        for frame, shown in enumerate(order):
            assert event_at(other.scene, frame) == event_at(video.scene, shown)
            assert other.scene.background_at(frame) == video.scene.background_at(shown)
        orders.add(tuple(order))
        truths.add(answers("disc_when", other.scene)[0])
    assert len(orders) > 10
    assert truths == {"Early", "Late"}


@pytest.mark.parametrize("rope", ROPES)
def test_only_turned_keys_let_the_shipped_model_see_that_an_event_moved(rope):
    """With keys as published the two videos are the same to it, whatever is trained."""
    model = load_mini(rope)
    tokenize = SlowFastProcessor.from_pretrained(MINI).tokenize
    video, other = next(pair for pair in map(rearranged, range(20)) if pair[0].scene != pair[1].scene)
    seen = torch.randn(FRAMES, 2, 2, 64, generator=torch.Generator().manual_seed(0))  # what a tower gives
    prompt = tokenize(WhenAsker("any").ask(video.scene, "disc_when")[2])
    logits = []
    with torch.no_grad():
        for each in (video, other):
            features = model.model.split_paths(model.model.project(seen[each.features[:, 0]]))
            logits.append(model(input_ids=prompt, video_features=[features], logits_to_keep=1).logits)
    assert bool((logits[0] - logits[1]).abs().max() > 1e-3) is (rope == "own")


def test_questions_that_ask_when_are_true_and_balanced():
    asker = WhenAsker("any")
    letters: Counter[tuple[str, str]] = Counter()
    for scene in draw_when_scenes("any", 300):
        for kind in WHEN_KINDS:
            document, question, prompt = asker.ask(scene, kind)
            assert question.answer == answers(kind, scene)[0]
            assert document.question in prompt
            letters[question.letter, question.answer] += 1
    truth = {"Early": 600, "Late": 600, "Before": 300, "After": 300}  # of which half are true
    for (letter, answer), count in letters.items():
        assert abs(count - truth[answer] / 4) < 4 * (truth[answer] / 4) ** 0.5, (letter, letters)


def test_test_wordings_are_never_trained_on():
    def wordings(split):
        asker = WhenAsker("any", split)
        return {
            asker.ask(scene, kind)[1].text for scene in draw_when_scenes("any", 60) for kind in WHEN_KINDS
        }

    trained, tested = wordings("train"), wordings("test")
    assert not trained & tested
    assert len(tested) >= 3


def noise_for_films(work: Path, budget: Budget) -> Store:
    """As if all videos had been rendered."""
    videos = budget.videos + budget.others + budget.held_out + budget.held_out_others
    store = Store(work)
    store.open(settings(budget), None)
    generator = torch.Generator().manual_seed(0)
    store.save("films", {"features": torch.randn(videos * FRAMES, 2, 2, 64, generator=generator).half()})
    return store


class Interrupting:
    """Ctrl-C at the end of a step; None never."""

    def __init__(self, at: int | None) -> None:
        self.at = at

    def stage(self, text: str) -> None:
        pass

    def step(self, what: str, done: int, total: int, loss: float | None = None) -> None:
        if loss is not None and done == self.at:
            raise KeyboardInterrupt


@pytest.mark.thorough
def test_an_interrupted_training_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "_SAVE_EVERY", 1)
    budget, never, learned = BUDGETS["small"].with_steps(3), Interrupting(None), []
    for name in ("whole", "interrupted"):
        store = noise_for_films(tmp_path / name, budget)
        footage = film(budget, store, never)
        for at in (1, 3) if name == "interrupted" else ():  # 3: all is trained, and nothing of it finished
            with pytest.raises(KeyboardInterrupt):
                learn("own", 3, budget, footage, store, Interrupting(at))
        learned.append(learn("own", 3, budget, footage, store, never))
    whole, resumed = learned
    assert whole.loss == resumed.loss
    state = resumed.model.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in whole.model.state_dict().items())


def test_only_seeds_that_were_trained_both_ways_are_in_the_finding():
    path = ROOT / "results" / "mini_when" / "mini_when.json"
    report = WhenReport.model_validate_json(path.read_text())
    assert finding(report).endswith("seeds 0, 1).")
    kept = tuple(run for run in report.runs if (run.rope, run.seed) != ("published", 1))
    own, published = (f"{100 * run.kinds['when'].accuracy:.1f}" for run in kept if run.seed == 0)
    said = finding(report.model_copy(update={"runs": kept}))
    assert said.endswith("seeds 0).")
    assert f" {own} percent" in said
    assert f" in {published} with slow keys as published" in said


@pytest.mark.parametrize("rendered", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_the_command_trains_both_and_does_not_train_again(tmp_path, rendered: bool):
    if not rendered:  # as if an earlier command had rendered them: what they show does not matter here
        noise_for_films(tmp_path / "work", BUDGETS["small"].with_steps(2))
    arguments = ["when", "--output", str(tmp_path), "--budget", "small", "--steps", "2", "--seeds", "3"]
    first = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert first.exit_code == 0
    kept = (tmp_path / "mini_when.json").read_text()
    report = WhenReport.model_validate_json(kept)
    assert [(run.rope, run.seed) for run in report.runs] == [
        ("own", None), ("published", None), ("own", 3), ("published", 3),
    ]  # fmt: skip
    assert all(run.kinds["when"].questions == 4 * len(WHEN_KINDS) for run in report.runs)
    assert [run.loss is None for run in report.runs] == [True, True, False, False]
    shutil.rmtree(tmp_path / "work")
    again = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert "published" in again.output
    assert (tmp_path / "mini_when.json").read_text() == kept
    assert not (tmp_path / "work").exists(), "nothing is rendered where nothing is left to train"
    with pytest.raises(OutputError, match="another budget"):
        CliRunner().invoke(command, [*arguments, "--steps", "3"], catch_exceptions=False)


def test_the_page_has_the_figures_of_the_record():
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    assert filled(page, blocks(ROOT), name=PAGE.name) == page, "run make readme"


def test_the_report_is_described():
    schema = json.loads((ROOT / "docs/schemas/mini_when.schema.json").read_text())
    assert schema == json.loads(json.dumps(WhenReport.model_json_schema()))
