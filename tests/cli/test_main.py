"""The command line's surface: instant help, one line a mistake, nearest names."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sf_eval.cli.main import VERBS

RUN_MINI = ("run", "--tasks", "videomme", "--model", "mini", "--data", "mini")


def test_help_names_every_verb_and_imports_nothing_heavy() -> None:
    script = (
        "import sys; from sf_eval.cli.main import _run; code = _run(['--help'])\n"
        "heavy = {'torch', 'lmms_eval', 'transformers', 'datasets', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(verb in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(sf_eval: Callable, verb: str) -> None:
    done = sf_eval(verb, "--help")
    assert done.code == 0
    assert "Usage:" in done.out


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (("rnu",), "there is no verb 'rnu'. Did you mean run?"),
        (("run", "--task", "videomme"), "--tasks"),
        (("run", "--tasks", "videome", "--model", "mini", "--data", "mini"), "videomme"),
        (("run", "--tasks", "videomme", "--model", "mni", "--data", "mini"), "Did you mean mini"),
        (("run", "--tasks", "videomme", "--model", "mini", "--data", "mni"), "mini"),
        (("run", "--tasks", "videomme", "--model", "./nowhere", "--data", "mini"), "does not exist"),
        (("run", "--tasks", "videomme", "--model", "self-attention-16f", "--data", "mini"), "only profiled"),
        (("run", "--tasks", "videomme", "--model", "mini", "--data", "mini", "--limit", "x"), "--limit x"),
        (
            ("run", "--tasks", "videomme", "--model", "mini", "--data", "mini", "--batch-size", "0"),
            "--batch-size",
        ),
        (("run", "--tasks", "videomme", "--model", "mini", "--data", "mini", "--dtype", "fp8"), "--dtype"),
        ((*RUN_MINI, "--batch-size", "x"), "'x' is neither a whole number nor auto"),
        ((*RUN_MINI, "--num-frames", "4,x"), "'x' is not a whole number"),
        ((*RUN_MINI, "--decode-timeout", "nan"), "'nan' is not a number"),
        ((*RUN_MINI, "--decoders", "65"), "0<=x<=64"),
        (("verify", "--tolerance", "nan"), "'nan' is not a number"),
        (("ls", "modles"), "models"),
        (("profile", "--model", "slowfast-7b-128"), "slowfast-7b-128f"),
    ],
)
def test_a_mistake_is_one_line_and_a_nonzero_exit(
    sf_eval: Callable, args: tuple[str, ...], complaint: str
) -> None:
    done = sf_eval(*args)
    assert done.code == 2
    assert complaint in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert "Traceback" not in done.err


def test_ls_shows_models_and_tasks(sf_eval: Callable) -> None:
    models = sf_eval("ls", "models")
    tasks = sf_eval("ls", "tasks")
    assert models.code == tasks.code == 0
    assert "slowfast-7b-64f" in models.out
    assert "mini" in models.out
    assert "videomme" in tasks.out
    assert "mlvu" in tasks.out


def _first_words(table: str) -> list[str]:
    """Of each row; long titles and terms go on in rows of their own, whose first column is empty."""
    return [line.split()[0] for line in table.splitlines() if line.startswith(" ") and line[1:2].strip()]


def test_a_group_is_one_line_unless_its_subtasks_are_asked_for(sf_eval: Callable) -> None:
    from sf_eval.benchmarks import catalog

    (line,) = [line for line in sf_eval("ls", "tasks").out.splitlines() if "mvbench" in line.split()]
    assert "MVBench, 20 subtasks" in line
    assert "OpenGVLab/MVBench" in line
    assert "4000" in line.split()
    listed = _first_words(sf_eval("ls", "tasks").out)
    alone = [name for name in catalog.benchmark_names() if catalog.get_benchmark(name).group is None]
    assert set(listed[1:]) - {"─" * len(listed[1])} == {*catalog.group_names(), *alone}
    opened = _first_words(sf_eval("ls", "tasks", "--all").out)
    assert {*catalog.group_names(), *catalog.benchmark_names()} <= set(opened)
    members = sum(len(catalog.members_of(group)) for group in catalog.group_names())
    assert len(opened) == len(listed) + members
    (line,) = [line for line in sf_eval("ls", "tasks").out.splitlines() if "tempcompass" in line.split()]
    assert "TempCompass, 4 tasks" in line
    assert "7540" in line.split()


def test_ls_breaks_no_name_on_a_narrow_terminal(sf_eval: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    from sf_eval.benchmarks import catalog
    from sf_eval.core.cards import card_names

    monkeypatch.setenv("COLUMNS", "80")
    assert set(card_names()) <= set(sf_eval("ls", "models").out.split())
    tasks = set(sf_eval("ls", "tasks", "--all").out.split())
    assert set(catalog.benchmark_names()) <= tasks
    assert {catalog.get_benchmark(name).hub_id for name in catalog.benchmark_names()} <= tasks


def test_an_error_with_control_characters_is_one_harmless_line(sf_eval: Callable) -> None:
    done = sf_eval("ru\x1b[31m\x07\nn")
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert done.err.rstrip("\n").isprintable()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_pipe_that_is_not_utf_8_gets_the_whole_output(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from sf_eval.cli.main import main; main()", "ls", "tasks"],
        env={**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "80"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"videomme_w_subtitle" in done.stdout
    assert b"?" in done.stdout  # the dash for an unknown number of questions


def test_tasks_path_is_the_folder_with_the_yaml_files(sf_eval: Callable) -> None:
    from pathlib import Path

    done = sf_eval("tasks", "--path")
    assert (Path(done.out.strip()) / "videomme" / "sf_videomme.yaml").is_file()


def _main(*args: str, before: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    script = f"import sys; from sf_eval.cli.main import main; sys.argv[1:] = {args!r}; {before}\nmain()"
    options = {"stdout": subprocess.PIPE} | options
    return subprocess.run(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, check=False, **options
    )


def test_at_its_end_a_command_cleans_up_but_takes_nothing_apart() -> None:
    """What is imported takes Python seconds to take apart: long after Ctrl-C, and after every run."""
    done = _main(
        "ls", "models",
        before="import atexit, sf_eval.cli.ls as ls\n"
        "class Imported: __del__ = lambda self: print('taken apart')\n"
        "kept = Imported(); kept.itself = kept\n"
        "ls.command.callback = lambda **_: atexit.register(print, 'cleaned up')",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "cleaned up\n"


def test_a_defect_keeps_its_traceback_and_its_exit_code() -> None:
    done = _main(
        "ls", "models", before="import sf_eval.cli.ls as ls; ls.command.callback = lambda **_: 1 / 0"
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_a_right_that_no_path_was_refused_for_is_no_matter_of_another_place() -> None:
    """Such as a signal to somebody else's process, or what a container does not let one do."""
    done = _main(
        "ls", "models",
        before="import sf_eval.cli.ls as ls\n"
        "def refused(**_): raise PermissionError(1, 'Operation not permitted')\n"
        "ls.command.callback = refused",
    )  # fmt: skip
    assert done.returncode == 1
    assert "in refused" in done.stderr
    assert "another place" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's disk that is always full")
def test_output_that_does_not_fit_is_a_line_and_no_success() -> None:
    with Path("/dev/full").open("w") as full:
        done = _main("ls", "models", stdout=full)
    assert done.returncode == 2
    assert "No space left on device. Free some space" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="root gives up its rights as Linux lets it")
def test_a_folder_that_may_not_be_read_is_the_users_to_mend(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    args = ("run", "--tasks", "videomme", "--data", "mini", "--model", str(closed / "inside"))
    done = _main(*args, preexec_fn=_without_roots_rights_on_files)
    assert done.returncode == 2
    assert str(closed) in done.stderr
    assert "Permission denied" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def _without_roots_rights_on_files() -> None:
    drop, dac_override, dac_read_search = 24, 1, 2  # PR_CAPBSET_DROP of prctl(2), capabilities(7)
    for capability in (dac_override, dac_read_search):
        ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0)
