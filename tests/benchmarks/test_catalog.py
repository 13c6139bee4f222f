"""Names of tasks, and the yaml files that lmms-eval reads."""

from __future__ import annotations

import pytest
import yaml

from sf_eval.benchmarks.catalog import (
    benchmark_names,
    get_benchmark,
    get_group,
    group_names,
    members_of,
    parts_total,
    parts_without,
    resolve_tasks,
)
from sf_eval.core.errors import UsageError
from sf_eval.core.paths import tasks_dir


def names(text: str) -> list[str]:
    return [benchmark.name for benchmark in resolve_tasks(text)]


def test_names_in_the_order_asked_each_once() -> None:
    assert names("mlvu,videomme") == ["mlvu", "videomme"]
    assert names("sf_mlvu, mlvu_dev ,MLVU") == ["mlvu"]
    assert names("mvbench_action_count,mvbench")[:2] == ["mvbench_action_count", "mvbench_action_sequence"]
    assert len(names("mvbench")) == 20
    assert names("all") == benchmark_names()
    assert names("all,mlvu") == benchmark_names()


POSE = "mvbench_fine_grained_pose"


def test_a_name_with_a_minus_is_left_out_wherever_it_stands() -> None:
    """So MVBench is asked without the clips that nobody can fetch."""
    without = [name for name in members_of("mvbench") if name != POSE]
    assert names(f"mvbench,-{POSE}") == names(f"-sf_{POSE}, mvbench") == without
    assert not set(names("all,-mvbench")) & set(members_of("mvbench"))
    assert resolve_tasks(f"mvbench,-{POSE}", groups=False) == []
    assert parts_without("mvbench", without) == ["fine_grained_pose"]


@pytest.mark.parametrize("text", ["mlvu,-mlvu", "-mlvu", "mvbench,-mvbench"])
def test_leaving_everything_out_is_a_mistake(text: str) -> None:
    with pytest.raises(UsageError, match="all that it names is left out"):
        resolve_tasks(text)
    with pytest.raises(UsageError, match="videomme"):
        resolve_tasks("all,-vidomme")


def test_what_there_is() -> None:
    assert {"videomme", "videomme_w_subtitle", "mlvu", "egoschema", "longvideobench"} <= set(
        benchmark_names()
    )
    assert "mvbench" in group_names()
    assert len(members_of("sf_mvbench")) == 20
    assert get_group("sf_mvbench").title == "MVBench"


def test_no_two_benchmarks_share_a_name_or_an_alias() -> None:
    names = [*benchmark_names(), *group_names()]
    names += [alias for name in benchmark_names() for alias in get_benchmark(name).aliases]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("vidomme", "videomme"),
        ("mvbench_action_cont", "mvbench_action_count"),
        ("", "commas"),
        ("mlvu,,", "commas"),
    ],
)
def test_unknown_names(text: str, near: str) -> None:
    with pytest.raises(UsageError, match=near):
        resolve_tasks(text)


def test_a_group_is_not_a_benchmark() -> None:
    with pytest.raises(UsageError, match="group of 20"):
        get_benchmark("mvbench")
    with pytest.raises(UsageError, match="no group"):
        get_group("mlvu")


class _Loader(yaml.SafeLoader):
    """Reads lmms-eval's `!function module.name` as its text."""


_Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))


@pytest.mark.parametrize("name", benchmark_names())
def test_every_benchmark_has_its_yaml(name: str) -> None:
    benchmark = get_benchmark(name)
    (path,) = tasks_dir().glob(f"*/{benchmark.lmms_task}.yaml")
    config = yaml.load(path.read_text(), Loader=_Loader)
    shared = (path.parent / config["include"]).resolve()
    config = {**yaml.load(shared.read_text(), Loader=_Loader), **config}
    assert config["task"] == benchmark.lmms_task == f"sf_{name}"
    assert config["dataset_path"] == benchmark.hub_id
    assert config.get("dataset_name") == benchmark.hub_config
    assert config["test_split"] == benchmark.split
    assert config["generation_kwargs"]["max_new_tokens"] == benchmark.max_new_tokens
    assert config["class"] == "lmms_task.Task"
    assert (shared.parent / "lmms_task.py").is_file()


@pytest.mark.parametrize("group", group_names())
def test_a_group_lists_its_members(group: str) -> None:
    config = yaml.safe_load((tasks_dir() / group / f"sf_{group}.yaml").read_text())
    assert config["group"] == f"sf_{group}"
    assert sorted(config["task"]) == sorted(get_benchmark(name).lmms_task for name in members_of(group))
    found = get_group(group)
    assert set(map(found.part_of, members_of(group))) <= set(found.parts)
    assert parts_total(group) == len(found.parts)


def test_the_page_of_benchmarks_has_the_sizes_we_expect() -> None:
    page = (tasks_dir().parent / "docs" / "benchmarks" / "README.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line[:3] == "| `"
    ]
    listed = {name.strip("` "): row for row in rows for name in row[0].split(",")}
    for name in benchmark_names():
        benchmark = get_benchmark(name)
        if benchmark.group is not None:
            counts = [get_benchmark(member).expected_questions for member in members_of(benchmark.group.name)]
            alike = len(set(counts)) == 1
            said = f"{len(counts)} x {counts[0]}" if alike else " + ".join(map(str, counts))
            assert listed[benchmark.group.name][2] == said
            continue
        assert listed[name][2] == str(benchmark.expected_questions or "not known")
        assert listed[name][3] == str(benchmark.expected_videos or "not known")
