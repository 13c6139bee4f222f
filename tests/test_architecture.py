"""The house: what `docs/architecture.md` says of rooms and arrows is so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sf_eval"
FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imports_of(module: str) -> Iterator[str]:
    """The modules of ours that `module` imports, wherever in the file; packages' `__init__` left out.

    What a package's `__init__` gathers is found at its own file, so that two files of one room that are both
    named there are no circle.
    """
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("sf_eval"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("sf_eval"))


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    """What each module of ours imports of ours: made where it is asked for, not by every worker."""
    return {module: set(imports_of(module)) & set(MODULES) - {module} for module in MODULES}


def test_no_file_imports_itself_by_way_of_others(graph: dict[str, set[str]]) -> None:
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail[trail.index(module) :], module])
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, (*trail, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


def test_a_file_is_read_in_one_sitting_and_a_room_is_not_searched() -> None:
    long = {module: len(path.read_text("utf-8").splitlines()) for module, path in MODULES.items()}
    assert {module: lines for module, lines in long.items() if lines > 400} == {}
    rooms: dict[Path, int] = {}
    for path in FILES:
        rooms[path.parent] = rooms.get(path.parent, 0) + 1
    assert {str(room): count for room, count in rooms.items() if count > 24} == {}


@pytest.mark.parametrize(
    "room", sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())
)
def test_the_page_of_architecture_knows_every_room(room: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert f"{room}/" in page


def test_the_page_of_architecture_names_nothing_that_is_not_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:sf_eval|tasks|model_cards|results|docs)/[\w./-]*)`", page))
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
