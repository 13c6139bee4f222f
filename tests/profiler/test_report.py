"""`sf-eval profile` as a user meets it: the table, the files, the page, the mistakes."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from sf_eval.cli.profile import command
from sf_eval.core.cards import load_card
from sf_eval.core.errors import CheckpointError, OutputError, SfEvalError, UsageError
from sf_eval.core.tables import Table, print_table
from sf_eval.profiler.growth import fitted_order
from sf_eval.profiler.profile import Request, make_profile
from sf_eval.profiler.record import Profile
from sf_eval.profiler.rows import Question
from sf_eval.report.profile.tables import all_tables, cost_table
from sf_eval.report.profile.writing import write_report

from .shapes import tiny

ISSUE_KEYS = {
    "model", "frames", "slow_tokens", "fast_tokens", "text_tokens", "vision_flops", "projector_flops",
    "prefill_flops", "cross_attention_flops", "decode_flops_per_token", "total_flops", "convention",
}  # fmt: skip


def run(*arguments: str) -> str:
    result = CliRunner().invoke(command, arguments, catch_exceptions=False, env={"COLUMNS": "220"})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a configuration and no weights: enough for FLOPs. Its name is hostile to markup."""
    folder = tmp_path_factory.mktemp("models") / "<img src=x>|[bold]"
    folder.mkdir()
    config = tiny(model_type="llava_qwen_slow_fast", num_frames=12)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def tiny_profile(checkpoint: Path) -> Profile:
    return make_profile(
        Request(str(checkpoint), frames=(12, 24), question=Question(20, 4), command="sf-eval x")
    )


@pytest.fixture(scope="module")
def report(tiny_profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file of a report."""
    folder = tmp_path_factory.mktemp("report")
    written = {path.name for path in write_report(tiny_profile, folder)}
    assert written == {path.name for path in folder.iterdir()}
    return folder


def test_reference_table_comes_out_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sf_eval.report.profile.plots.available", lambda: False
    )  # seconds that prove nothing here
    shown = run(
        "--model", "slowfast-7b-128f", "--against", "self-attention-16f", "--unit", "mac",
        "--frames", "16,64,128,512,1024", "--no-trace", "--output", str(tmp_path),
    )  # fmt: skip
    assert "MAC = one multiply-add" in shown
    assert "half of the square" in shown
    rows = json.loads((tmp_path / "profile.json").read_text())["rows"]
    prefill = {(row["role"], row["frames"]): row["prefill_flops"] / 2e12 for row in rows}
    assert prefill["model", 128] == pytest.approx(9.49, abs=0.005)
    assert prefill["model", 1024] == pytest.approx(80.8, abs=0.05)
    assert prefill["against", 16] == pytest.approx(9.31, abs=0.005)
    assert prefill["same frames", 512] == pytest.approx(444.7, abs=0.05)
    # the claim, and that end to end the tower dominates, are on the screen
    assert "+1.96%" in shown
    assert "at 128 frames takes 138.9 TMAC: the vision tower 92.4%" in shown


def test_json_has_the_documented_keys_and_adds_up(tiny_profile: Profile) -> None:
    data = json.loads(json.dumps(tiny_profile.to_json(), allow_nan=False))
    assert data["schema_version"] == 1
    documented = (Path(__file__).parents[2] / "docs" / "schemas" / "profile.md").read_text()
    for row in data["rows"]:
        assert set(row) >= ISSUE_KEYS
        assert sum(row["breakdown"].values()) == row["total_flops"]
        assert row["trace"]["status"] == "agrees"
        assert [key for key in row if f"`{key}`" not in documented] == []
    assert [key for key in data if f"`{key}`" not in documented] == []


def test_directory_takes_its_frames_from_its_configuration(checkpoint: Path) -> None:
    profile = make_profile(Request(str(checkpoint), trace=False))
    assert (profile.main.frames, profile.against[0].frames) == (12, 6)


def test_files_of_a_report(tiny_profile: Profile, report: Path) -> None:
    with (report / "profile.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["total_flops"]) for row in rows] == [row.total_flops for row in tiny_profile.rows]
    for name in ("growth", "breakdown"):
        assert (report / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert ET.parse(report / f"{name}.svg").getroot().tag.endswith("svg")
    markdown = (report / "profile.md").read_text()
    assert "## Growth of" in markdown
    assert "<img" not in markdown


def test_report_without_matplotlib_lacks_only_the_plots(
    tiny_profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU machine may have torch and transformers alone."""
    monkeypatch.setattr("sf_eval.report.profile.plots.available", lambda: False)
    written = {path.name for path in write_report(tiny_profile, tmp_path)}
    assert written == {"profile.csv", "profile.md", "profile.html", "profile.json"}
    assert "<svg" not in (tmp_path / "profile.html").read_text()


class _Page(HTMLParser):
    """Collects what a page would ask for, and its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [
            value or "" for key, value in attrs if key in ("src", "href", "xlink:href", "action")
        ]


def test_page_is_self_contained_and_escapes_names(report: Path) -> None:
    text = (report / "profile.html").read_text()
    page = _Page()
    page.feed(text)
    assert "svg" in page.tags
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert [address for address in page.addresses if not address.startswith("#")] == []
    assert not re.search(r"url\((?!#)|@import", text)
    assert "prefers-color-scheme: dark" in text
    assert "currentColor" in text


def test_growth_orders_are_those_of_known_curves() -> None:
    frames = (16, 32, 64, 128)
    assert fitted_order(frames, [7 * n for n in frames]) == pytest.approx(1)
    assert fitted_order(frames, [3 * n * n for n in frames]) == pytest.approx(2)
    assert fitted_order(frames, [5, 5, 5, 5]) == pytest.approx(0)


def test_growth_tells_slow_fast_from_self_attention() -> None:
    growth = make_profile(Request("slowfast-7b-128f", trace=False)).growth
    assert growth.frames[-1] == 1536
    at_end = {(series.model, series.quantity): series.order_at_end for series in growth.series}
    assert at_end["slowfast-7b-128f", "cross-attention"] == pytest.approx(1, abs=0.01)
    assert at_end["slowfast-7b-128f", "slow-token memory"] == pytest.approx(1)
    assert at_end["self-attention-only", "prefill"] > 1.5
    assert ("self-attention-only", "slow-token memory") not in at_end


def test_a_model_that_is_the_baseline_grows_once() -> None:
    """Trained as the baseline: its fast path keeps to a floor of 16 frames, which changes nothing."""
    profile = make_profile(Request("mini-16f", trace=False))
    assert {series.model for series in profile.growth.series} == {"mini-16f"}
    pooled = make_profile(Request("mini-pooled", trace=False))
    assert {series.model for series in pooled.growth.series} == {"mini-pooled", "self-attention-only"}


def test_the_packaged_models_stand_beside_each_other() -> None:
    controls = ("mini-16f", "mini-pooled", "mini-self-attention")
    profile = make_profile(Request("mini", against=controls))
    assert {row.trace.status for row in profile.rows} == {"agrees"}
    assert (profile.main.slow_tokens, profile.main.fast_tokens) == (128, 16)
    assert [(row.model, row.frames, row.slow_tokens, row.fast_tokens) for row in profile.against] == [
        ("mini-16f", 16, 0, 16), ("mini-pooled", 128, 0, 16), ("mini-self-attention", 128, 0, 16),
    ]  # fmt: skip
    assert {pair.prefill_ratio for pair in profile.comparisons} == {profile.comparisons[0].prefill_ratio}
    assert profile.comparisons[0].prefill_ratio > 1
    assert profile.against[1].breakdown == profile.against[2].breakdown


def test_words_name_a_slow_path_only_where_there_is_one(tiny_profile: Profile) -> None:
    assert "slow" in " ".join(tiny_profile.words)
    words = " ".join(make_profile(Request("mini-pooled", trace=False)).words)
    assert "slow" not in words
    assert "quadratic" in words


def test_words_say_what_is_linear_and_what_is_not(tiny_profile: Profile) -> None:
    words = " ".join(tiny_profile.words)
    assert "linear in frames are vision and projector, cross-attention" in words
    assert "quadratic" in words
    assert f"{len(tiny_profile.rows)} of {len(tiny_profile.rows)} rows were also traced" in words


def test_strides_make_another_fast_path(checkpoint: Path) -> None:
    plain = make_profile(Request(str(checkpoint), trace=False)).main
    thinned = make_profile(Request(str(checkpoint), sampling_stride=2, temporal_stride=2, trace=False)).main
    assert thinned.fast_tokens == plain.fast_tokens // 2
    assert thinned.slow_tokens == plain.slow_tokens


def test_other_models_stand_beside_ours() -> None:
    profile = make_profile(
        Request("slowfast-7b-64f", against=("llava-onevision-7b:32", "qwen2.5-vl-7b"), trace=False)
    )
    llava, qwen = profile.against
    # 32 frames of 14 x 14 tokens and a newline; 26 layers of SigLIP-so400m at 384 px are 0.321 TMAC a frame
    assert llava.fast_tokens == 32 * 196 + 1
    assert llava.vision_flops / 2e12 / 32 == pytest.approx(0.321, abs=0.005)
    # 720p within 768 x 28 x 28 pixels is 560 x 1008, merged to 20 x 36 tokens for every two frames
    assert qwen.fast_tokens == 32 * 20 * 36
    for row in (llava, qwen):
        assert sum(row.breakdown.values()) == row.total_flops
        assert row.trace.status == "only traced"


def test_output_that_cannot_be_made_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(command, ["--model", "mini", "--output", str(tmp_path / "file" / "out")])
    assert isinstance(result.exception, OutputError)
    assert "Cost of a question" not in result.output


def numbers_and_words(table: Table) -> set[str]:
    return {word for row in table.rows for cell in row for word in cell.split()}


def test_no_number_or_word_is_broken_at_80_columns(tmp_path: Path) -> None:
    """Also of a checkpoint directory with the long name that the published ones have."""
    name = "slow-fast-video-mllm-qwen2-7b-convnext-576-frame64-s1t4"
    (tmp_path / name).mkdir()
    config = {**load_card("slowfast-7b-64f").config, "num_frames": 64}
    (tmp_path / name / "config.json").write_text(json.dumps(config))
    request = Request(
        str(tmp_path / name), against=("mini-self-attention:64",), frames=(16, 1024), trace=False
    )
    measured = json.loads((Path(__file__).parent / "measured.json").read_text())
    profile = replace(make_profile(request), measured=measured)
    for table in all_tables(profile):
        console = Console(width=80, file=io.StringIO(), record=True)
        print_table(console, table)
        shown = console.export_text()
        assert max(map(len, shown.splitlines())) <= 80
        broken = numbers_and_words(table) - set(shown.split()) - {name}
        assert not broken, f"{table.title}: {broken}"
    console = Console(width=80, file=io.StringIO(), record=True)
    print_table(console, cost_table(profile))
    shown = console.export_text()
    pieces = [piece for piece in shown.split() if piece in name]
    assert name in "".join(pieces), "the name is cut"


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["--model", "slowfast-7b-12f"], UsageError, "slowfast-7b-128f"),
        (["--model", "mini", "--against", "qwen2-vl-7b"], UsageError, "qwen2.5-vl-7b"),
        (["--model", "mini", "--against", "mini:many"], UsageError, "whole number"),
        (["--model", "mini", "--frames", "16,-3"], UsageError, "--frames"),
        (["--model", "mini", "--frames", "8", "--measure", "--device", "cuda:9"], UsageError, "cuda:9"),
        (["--model", "slowfast-7b-128f", "--measure", "--no-trace"], CheckpointError, "--random-weights"),
    ],
)
def test_mistakes_say_what_to_do(arguments: list[str], error: type[SfEvalError], says: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, error)
    assert says in str(result.exception)
