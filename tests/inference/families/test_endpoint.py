"""A model behind an OpenAI-compatible address: what goes wrong is a typed failure of the question asked."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from loopback_endpoint import MODEL, LoopbackEndpoint, serving
from PIL import Image

from sf_eval.core.cards import card_for
from sf_eval.core.errors import CheckpointError, UsageError
from sf_eval.harness.settings import RunSettings
from sf_eval.inference import FailureKind
from sf_eval.inference.families import check_card, check_weights, open_model
from sf_eval.inference.family import Asked, Generated, ModelLostError, Refused
from sf_eval.video import ClipPlan, VideoInfo

KEY = "sk-a-secret-of-the-test"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackEndpoint]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as endpoint:
        yield endpoint


def card(server: LoopbackEndpoint, **options: object):
    made = RunSettings(model=f"openai:{MODEL}", tasks="all", data="mini", base_url=server.url).card(
        card_for(f"openai:{MODEL}")
    )
    return replace(made, options={**made.options, **options})


def ask(server: LoopbackEndpoint, *texts: str, **options: object) -> list[Generated | Refused]:
    model = open_model(card(server, **options))
    pixels = torch.from_numpy(np.full((3, 20, 40, 3), 200, np.uint8))
    info = VideoInfo(Path("v.mp4"), 3, 1.0, 3.0, 40, 20, "h264")
    video = model.encode(pixels, ClipPlan(info, (0, 1, 2), (0.0, 1.0, 2.0)), chunk_frames=16)
    return list(model.answer([Asked(text, video, None, 7) for text in texts]))


def test_frames_go_as_jpegs_of_the_stated_quality_and_size(server: LoopbackEndpoint) -> None:
    (answer,) = ask(server, "What?", max_side=16)
    assert answer == replace(answer, text="A", prompt_tokens=321, visual_tokens=None, new_tokens=2)
    (sent,) = server.sent
    assert (sent["model"], sent["max_tokens"], sent["temperature"]) == (MODEL, 7, 0)
    *frames, text = sent["messages"][0]["content"]
    assert text == {"type": "text", "text": "What?"}
    for frame in frames:
        kind, _, data = frame["image_url"]["url"].partition(",")
        assert kind == "data:image/jpeg;base64"
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (16, 8)
    assert len(frames) == 3
    assert server.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize("misdeed", ["busy", "broken", "cut"])
def test_what_passes_is_tried_again(server: LoopbackEndpoint, misdeed: str) -> None:
    server.misdeeds.extend([misdeed, misdeed])
    (answer,) = ask(server, "What?", retries=2)
    assert isinstance(answer, Generated)
    assert len(server.sent) == 3


@pytest.mark.parametrize(
    ("misdeed", "said", "requests"),
    [
        ("busy", "429", 2),
        ("broken", "500", 2),
        ("cut", "", 2),
        ("nonsense", "", 1),
        ("elsewhere", "no text", 1),
        ("wordless", "no text", 1),
        ("filtered", "content_filter", 1),
        ("too_long", "longer than the model's context", 1),
        ("echoing", "cannot do Bearer ***", 1),
        ("telling", "for Bearer ***", 1),
        ("moved", "307", 1),
    ],
)
def test_what_stays_wrong_is_a_failure_of_its_question_alone(
    server: LoopbackEndpoint, misdeed: str, said: str, requests: int
) -> None:
    server.always = misdeed
    (failed,) = ask(server, "What?", retries=1)
    assert isinstance(failed, Refused)
    assert failed.kind is FailureKind.MODEL_ERROR
    assert said in failed.reason
    assert KEY not in failed.reason
    assert len(server.sent) == requests
    server.always = ""
    server.misdeeds.append("wordless")
    kinds = [type(answer) for answer in ask(server, "One?", "Two?", "Three?")]
    assert sorted(kind.__name__ for kind in kinds) == ["Generated", "Generated", "Refused"]


def test_an_answer_that_repeats_the_key_is_kept_without_it(server: LoopbackEndpoint) -> None:
    server.says = lambda _: f"B. I was asked with {KEY}"
    (answer,) = ask(server, "What?")
    assert isinstance(answer, Generated)
    assert answer.text == "B. I was asked with ***"


def test_tokens_that_the_server_does_not_count_are_not_made_up(server: LoopbackEndpoint) -> None:
    server.always = "uncounted"
    (answer,) = ask(server, "What?")
    assert isinstance(answer, Generated)
    assert (answer.prompt_tokens, answer.new_tokens, answer.finish_reason) == (None, None, "length")


def test_a_refused_key_ends_everything(server: LoopbackEndpoint) -> None:
    server.always = "locked"
    with pytest.raises(ModelLostError, match="401") as caught:
        ask(server, "What?")
    assert KEY not in str(caught.value)


def test_what_is_wrong_with_the_address_is_said_before_anything_is_asked(server: LoopbackEndpoint) -> None:
    check_weights(card(server))
    with pytest.raises(CheckpointError, match="does not serve"):
        check_weights(card(server, model="tiny/video-modal"))
    with pytest.raises(UsageError, match="needs the address"):
        check_card(card_for(f"openai:{MODEL}"))
    for address in (
        "ftp://x/v1",
        "localhost:8000",
        "http://me:key@localhost/v1",
        "http://localhost/v1?key=k",
    ):
        with pytest.raises(UsageError, match="address"):
            check_card(card(server, base_url=address))
    with pytest.raises(UsageError, match="jpeg_quality"):
        check_card(card(server, jpeg_quality=100))
    nobody = card(server, retries=0)
    server.shutdown()
    server.server_close()
    with pytest.raises(CheckpointError, match="nobody answers"):
        check_weights(nobody)
