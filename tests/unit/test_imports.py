"""Imports run one way and in no circle: the contracts are in .importlinter, drawn in docs/architecture.md."""

from __future__ import annotations

from pathlib import Path

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[2]


def test_imports_run_one_way() -> None:
    assert lint_imports(config_filename=str(ROOT / ".importlinter"), cache_dir=None) == EXIT_STATUS_SUCCESS
