"""Imports inside of wenmo/ui run one way: charts, then the shell, then the pages."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UI = ROOT / "wenmo" / "ui"
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))


def _imported(path: Path) -> set[str]:
    """The modules of wenmo.ui that a file imports, without the leading "wenmo.ui."."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("wenmo.ui.") for name in found if name.startswith("wenmo.ui.")}


def _folders(paths: list[Path]) -> set[str]:
    return {module.partition(".")[0] for path in paths for module in _imported(path)}


def test_each_page_has_a_folder() -> None:
    assert {path.name for path in UI.iterdir() if (path / "__init__.py").exists()} == {*PAGES, "charts", "shell"}


def test_charts_import_charts() -> None:
    assert _folders(list((UI / "charts").glob("*.py"))) == {"charts"}


def test_the_shell_imports_no_page() -> None:
    assert _folders(list((UI / "shell").glob("*.py"))) <= {"charts", "shell", "text"}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_imports_no_other_page(page: str) -> None:
    paths = [ROOT / "pages" / f"{page}.py", *(UI / page).glob("*.py")]
    assert _folders(paths) <= {page, "charts", "shell", "text"}


@pytest.mark.parametrize("folder", ["shell", *PAGES])
def test_strings_are_plain_data(folder: str) -> None:
    assert _imported(UI / folder / "strings.py") == {"shell.localized.Text"}


def test_the_lookup_imports_strings_alone() -> None:
    strings = {f"{folder}.strings" for folder in ("shell", *PAGES)}
    assert _imported(UI / "text.py") == strings | {"shell.localized.Text"}
