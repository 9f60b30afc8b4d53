"""Imports run one way and in no circle: the contracts are in .importlinter, drawn in docs/architecture.md."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_imports_run_one_way() -> None:
    """In a process of its own: import-linter switches off the loggers that are there, also those of other tests."""
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(cache_dir=None))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_answer_needs_neither_a_compiler_nor_transformers(precision: str) -> None:
    """torch._dynamo takes six seconds and 150 MiB, and comes along with much that looks harmless."""
    program = f"""
import sys
from wenmo import Engine
with Engine(device="cpu", precision={precision!r}) as engine:
    engine.similarity([("好", "不错")])
    engine.zero_shot(["好"], labels=["甲", "乙"])
print(*sorted({{"torch._dynamo", "sympy", "transformers", "pandas", "streamlit", "sklearn"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_the_first_page_needs_neither_pandas_nor_a_hubs_client(tmp_path: Path) -> None:
    """Each takes a second or two of a slow core, and the visitor waits for it."""
    program = """
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app.py", default_timeout=100).run()
assert not app.exception and app.button, app.exception
print(*sorted({"pandas", "modelscope", "transformers", "sklearn"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"MODELSCOPE_CACHE": str(tmp_path)},
        timeout=120,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
