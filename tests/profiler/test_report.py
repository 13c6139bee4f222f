"""`sf-eval profile` as a user meets it: the table, the files, the page, the mistakes."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from rich.console import Console
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor
from transformers.video_processing_utils import BaseVideoProcessor

from sf_eval.cli.profile import command
from sf_eval.core.cards import load_card
from sf_eval.core.errors import CheckpointError, OutputError, SfEvalError, UsageError
from sf_eval.core.tables import Table, print_table, seconds
from sf_eval.profiler import DecodeVariant
from sf_eval.profiler import format as fmt
from sf_eval.profiler.growth import fitted_order
from sf_eval.profiler.profile import Request, make_profile
from sf_eval.profiler.record import Profile
from sf_eval.profiler.rows import Question
from sf_eval.profiler.traced import others
from sf_eval.report.profile.markdown import to_markdown
from sf_eval.report.profile.page import charts, to_html
from sf_eval.report.profile.tables import all_tables, cost_table
from sf_eval.report.profile.terminal import show
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
    assert data["schema_version"] == 3
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


def test_the_cards_frames_are_shown_whatever_the_weights_configuration_says(
    checkpoint: Path, tmp_path: Path
) -> None:
    """A directory's own card goes before its config.json, as for a run."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text((checkpoint / "config.json").read_text())
    (folder / "sf_eval_card.yaml").write_text("title: Mine\nnum_frames: 5\n")
    assert make_profile(Request(str(folder), trace=False)).main.frames == 5
    assert make_profile(Request(str(checkpoint), trace=False)).main.frames == 12


@pytest.mark.parametrize(
    "card", [pytest.param("", marks=pytest.mark.thorough), "title: Mine\ndecode_slow_attention: false\n"]
)
def test_decoding_is_counted_as_the_card_has_it(checkpoint: Path, tmp_path: Path, card: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text((checkpoint / "config.json").read_text())
    if card:
        (folder / "sf_eval_card.yaml").write_text(card)
    own = make_profile(Request(str(folder), frames=(12,), question=Question(20, 9))).main
    asked = {
        variant: make_profile(
            Request(str(folder), frames=(12,), question=Question(20, 9, decode=variant))
        ).main
        for variant in (DecodeVariant.WITHOUT, DecodeVariant.CACHED)
    }
    assert own.trace.status == "agrees"
    assert own == asked[DecodeVariant.WITHOUT if card else DecodeVariant.CACHED]
    assert asked[DecodeVariant.WITHOUT].decode_flops < asked[DecodeVariant.CACHED].decode_flops


@pytest.mark.thorough
def test_masked_system_prompts_ask_no_slow_token(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    config = json.loads((checkpoint / "config.json").read_text())
    config["cross_attn_implementation"] = "text-only-vanilla-masksystem"
    (folder / "config.json").write_text(json.dumps(config))

    def cross(where: Path, before: int | None = None) -> int:
        question = Question(100, 4, text_before_video=before)
        row = make_profile(Request(str(where), frames=(12,), question=question)).main
        assert row.trace.status == "agrees"
        return row.breakdown["prefill_cross_attention"]

    # The published markup before the video has 14 tokens.
    assert cross(folder) * 100 == cross(checkpoint) * 86
    assert cross(folder, 40) * 100 == cross(checkpoint) * 60


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


@pytest.mark.thorough
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


@pytest.fixture(scope="module")
def beside_others() -> Profile:
    return make_profile(
        Request("slowfast-7b-64f", against=("llava-onevision-7b:4", "qwen2.5-vl-7b:8"), trace=False)
    )


@pytest.mark.thorough
def test_other_models_stand_beside_ours(beside_others: Profile) -> None:
    llava, qwen = beside_others.against
    # 4 frames of 14 x 14 tokens and a newline; 26 layers of SigLIP-so400m at 384 px are 0.321 TMAC a frame
    assert llava.fast_tokens == 4 * 196 + 1
    assert llava.vision_flops / 2e12 / 4 == pytest.approx(0.321, abs=0.005)
    # 720p within 768 x 28 x 28 pixels is 560 x 1008, merged to 20 x 36 tokens for every two frames
    assert qwen.fast_tokens == 4 * 20 * 36
    # By hand, for two frames: 40 x 72 patches; 32 blocks, 4 of them with full attention, 28 in 5 x 9 windows
    # of 64 patches. Norms count nothing, also where they are made of means.
    patches = 40 * 72
    blocks = 32 * patches * (4 * 1280**2 + 3 * 1280 * 3420)
    attention = 4 * 2 * patches**2 * 1280 + 28 * 45 * 2 * 64**2 * 1280
    assert qwen.vision_flops == 2 * 4 * (patches * 1280 * 3 * 2 * 14 * 14 + blocks + attention)
    assert qwen.projector_flops == 2 * 4 * patches // 4 * (5120 * 5120 + 5120 * 3584)
    assert qwen.pooling_flops == 0
    for row in beside_others.against:
        assert sum(row.breakdown.values()) == row.total_flops
        assert row.trace.status == "only traced"


@pytest.mark.thorough
def test_the_report_says_what_it_took_for_granted_of_other_models(beside_others: Profile) -> None:
    shown = io.StringIO()
    show(beside_others, Console(width=10_000, file=shown))
    for text in (shown.getvalue(), to_markdown(beside_others), unescape(to_html(beside_others))):
        for words in ("1280 x 720", "720 tokens per two frames", "arXiv 2502.13923"):
            assert words in text, words


@pytest.mark.thorough
def test_the_released_settings_of_qwen_make_more_tokens_of_a_frame_and_say_so() -> None:
    profile = make_profile(Request("slowfast-7b-64f", against=("qwen2.5-vl-7b-released:8",), trace=False))
    assert profile.against[0].fast_tokens == 4 * 1196
    for words in ("1,196 tokens per two frames", "12,845,056 pixels per frame"):
        assert words in to_markdown(profile), words


@pytest.mark.parametrize(
    ("limits", "size"),
    [(others.CLASS_DEFAULT, {}), (others.RELEASED, {"shortest_edge": 3136, "longest_edge": 12845056})],
)
def test_qwens_frames_are_sized_as_by_its_processor(
    limits: others.PixelLimits, size: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both settings, and the bound of a whole video, against transformers' own video processor."""
    if not hasattr(Qwen2VLVideoProcessor, "cap_pixels_per_frame"):
        pytest.skip("this transformers has no bound on a whole video")
    processor = Qwen2VLVideoProcessor(**({"size": size} if size else {}))
    monkeypatch.setattr(BaseVideoProcessor, "resize", lambda _self, image, size, resample: size)
    for frames in (2, 63, 300, 400, 1536):
        shown = torch.empty(1, 1, 1, 1, 1).expand(1, frames, 3, *others.SOURCE_SIZE)
        by_it = processor.resize(shown, processor.size, None, 28, 2, cap_pixels_per_frame=True)
        height, width = others.qwen_frame_size(limits, frames)
        assert (height, width) == (by_it.height, by_it.width), frames
        assert -(-frames // 2) * height * width // 28**2 <= 115_200


def test_rows_beyond_the_models_context_are_marked(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    config = json.loads((checkpoint / "config.json").read_text())
    # 12 frames are 6 fast ones of 2 x 2 tokens: with 20 text tokens exactly the 44 that this model takes.
    config |= {"tokenizer_model_max_length": 44, "max_position_embeddings": 4096}
    (folder / "config.json").write_text(json.dumps(config))
    profile = make_profile(Request(str(folder), frames=(12, 24), question=Question(20, 4), trace=False))
    found = {(row.model, row.frames): (row.prompt_tokens, row.exceeds_context) for row in profile.rows}
    assert found["model", 12] == (44, False)
    assert found["model", 24] == (68, True)
    assert found["self-attention-only", 12] == (68, True)
    assert {row.context_tokens for row in profile.rows} == {44}
    page = unescape(to_html(profile))
    assert "24†" in page
    assert "12†" in page  # the baseline's
    assert "exceeds the model's context of 44" in page
    (growth,) = {series.frames_in_context for series in profile.growth.series if series.model == "model"}
    assert growth == 12
    within = make_profile(Request(str(folder), frames=(12,), against=(f"{folder}:6",), trace=False))
    assert "†" not in "".join(
        cell for row in within.rows if not row.exceeds_context for cell in (row.model, row.title)
    )


def test_1536_frames_of_self_attention_exceed_the_published_context() -> None:
    profile = make_profile(Request("slowfast-7b-128f", frames=(1536,), trace=False))
    rows = {(row.model, row.role): row for row in profile.rows}
    beyond = rows["self-attention-only", "same frames"]
    assert (beyond.prompt_tokens, beyond.context_tokens, beyond.exceeds_context) == (124_516, 32_768, True)
    assert not rows["slowfast-7b-128f", "model"].exceeds_context


def test_a_ratio_is_always_shown_as_a_change() -> None:
    shown = {1.0196: "+1.96%", 1.0: "0.00%", 0.7266: "-27.34%", 0.25: "-75.00%", 5.43: "+443.0%",
             1.0000123: "+0.001%", 0.0000021: "-99.9998%", 30000.0: "+2,999,900%"}  # fmt: skip
    assert {ratio: fmt.change(ratio) for ratio in shown} == shown


def test_one_table_per_question(measured_profile: Profile) -> None:
    """No table differs from another only in what it is about."""
    titles = [table.title for table in all_tables(measured_profile)]
    starts = [" ".join(title.split()[:3]) for title in titles]
    assert len(set(starts)) == len(titles)
    (change,) = [table for table in all_tables(measured_profile) if table.title.startswith("Change of work")]
    assert {"LLM prefill vs A", "end to end vs C"} <= set(change.columns)
    for row in change.rows:
        assert all(re.fullmatch(r"[+-]?[\d,.]+%|baseline", cell) for cell in row[2:-1])
    shown = " ".join(cell for table in all_tables(measured_profile) for row in table.rows for cell in row)
    assert not re.search(r"\bx\d", shown)


@pytest.fixture(scope="module")
def measured_profile() -> Profile:
    measured = json.loads((Path(__file__).parent / "measured.json").read_text())
    against = ("self-attention-16f", "self-attention-64f", "self-attention-128f")
    return replace(make_profile(Request("slowfast-7b-128f", against=against, trace=False)), measured=measured)


def test_the_measured_bar_is_the_tables_end_to_end(measured_profile: Profile) -> None:
    (chart,) = [chart for chart in charts(measured_profile) if chart.title.startswith("Measured")]
    assert measured_profile.measured is not None
    runs = measured_profile.measured["runs"]
    ends = [run["stages"]["end to end"]["median"] for run in runs]
    assert [bar.value for bar in chart.bars] == [seconds(value) for value in ends]
    for bar, end in zip(chart.bars, ends, strict=True):
        assert float(bar.width) == pytest.approx(100 * end / max(ends), abs=0.01)
        assert sum(float(piece.width) for piece in bar.pieces) == pytest.approx(100, abs=0.01)
    stages = runs[0]["stages"]
    apart = sum(stages[key]["median"] for key in ("video decode", "resize", "upload", "vision"))
    apart += stages["prefill (TTFT from cached features)"]["median"]
    apart += (runs[0]["new_tokens"] - 1) * stages["new token (TPOT)"]["median"]
    assert f"add up to {seconds(apart)}" in chart.notes[1]


def test_quantiles_need_rounds_enough(measured_profile: Profile) -> None:
    """Three rounds have no p90, no p99 and no 95% interval."""
    tables = {" ".join(table.title.split()[:3]): table for table in all_tables(measured_profile)}
    latency = tables["Latency of slowfast-7b-128f"]
    assert not {"p90", "p99"} & set(latency.columns)
    assert {row[-1] for row in latency.rows} == {"3"}
    changes = tables["Change of latency,"]
    place = changes.columns.index("95% interval")
    assert {row[place] for row in changes.rows} == {"–"}
    assert all("p90" not in note for table in tables.values() for note in table.notes)


def test_parts_are_told_apart_without_colour(measured_profile: Profile) -> None:
    for chart in charts(measured_profile):
        marks = [mark for _, mark, _ in chart.key]
        assert len({mark.letter for mark in marks}) == len({mark.pattern for mark in marks}) == len(marks)
        for bar in chart.bars:
            assert all(piece.title.startswith(f"{piece.mark.letter}, ") for piece in bar.pieces)
    page = to_html(measured_profile)
    for mark in (mark for chart in charts(measured_profile) for _, mark, _ in chart.key):
        assert mark.pattern == "p0" or f".{mark.pattern} {{ background-image" in page


def test_the_slow_path_has_a_bar_of_its_own(measured_profile: Profile) -> None:
    (lens,) = [chart for chart in charts(measured_profile) if "magnifier" in chart.title]
    (bar,) = lens.bars
    assert bar.width == "100.00"
    assert "363.9 GFLOP, 0.13% of the bar above" in bar.value
    assert "763 times" in lens.notes[1]
    without = make_profile(Request("mini-16f", trace=False))
    assert not [chart for chart in charts(without) if "magnifier" in chart.title]


def test_wide_tables_say_that_they_scroll(measured_profile: Profile) -> None:
    page = to_html(measured_profile)
    assert (
        page.count("Scroll the table sideways") == page.count("<table>") == len(all_tables(measured_profile))
    )


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
