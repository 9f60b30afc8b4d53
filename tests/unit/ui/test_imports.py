"""Every page has a folder of its own, with its strings; that imports run one way is in .importlinter."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UI = ROOT / "wenmo" / "ui"
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))


def test_each_page_has_a_folder() -> None:
    assert {path.name for path in UI.iterdir() if (path / "__init__.py").exists()} == {*PAGES, "charts", "shell"}


@pytest.mark.parametrize("folder", ["shell", *PAGES])
def test_strings_are_plain_data(folder: str) -> None:
    tree = ast.parse((UI / folder / "strings.py").read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules <= {"__future__", "collections.abc", "wenmo.ui.localized"}
