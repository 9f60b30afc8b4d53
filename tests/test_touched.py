"""Which tests `make quick` runs for a change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.touched import ROOT, changed, touched

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("wenmo/serving/cache.py", "tests/unit/serving/test_cache.py"),
        ("wenmo/ui/batch/page.py", "tests/pages/test_batch.py"),
        ("pages/service.py", "tests/pages/test_service.py"),
        ("tests/unit/test_tokenizer.py", "tests/unit/test_tokenizer.py"),
        ("tests/fakehub.py", "tests/unit/models/test_hub.py"),
        ("Dockerfile", "tests/api/test_deployment.py"),
    ],
)
def test_the_tests_of_a_file_are_the_nearest(path: str, nearest: str) -> None:
    assert nearest in touched([path])[:4]


def test_every_module_is_touched_by_a_test() -> None:
    """Else a change to it would pass with nothing run."""
    modules = [path for path in (ROOT / "wenmo").rglob("*.py") if path.name != "__init__.py"]
    untouched = {module for module in modules if not touched([module.relative_to(ROOT).as_posix()])}
    assert not untouched


def test_a_change_is_what_differs_from_the_last_commit_or_is_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> None:
        author = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *author, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    for name in ("a.py", "b.py"):
        (tmp_path / name).touch()
        git("add", ".")
        git("commit", "-q", "-m", name)
    monkeypatch.setattr("tests.touched.ROOT", tmp_path)
    assert changed(None) == ["b.py"]
    (tmp_path / "a.py").write_text("1\n", encoding="utf-8")
    (tmp_path / "new.py").touch()
    assert changed(None) == ["a.py", "new.py"]
    assert changed("HEAD~1") == ["a.py", "b.py", "new.py"]


def test_what_is_left_when_the_time_is_over_is_told(tmp_path: Path) -> None:
    (tmp_path / "test_two.py").write_text("def test_one(): pass\n\ndef test_two(): pass\n", encoding="utf-8")
    code = (
        "import sys, pytest\n"
        "from tests import touched\n"
        "touched.SECONDS = 0.0\n"
        "sys.exit(pytest.main(['-rs', '-q', 'test_two.py'], plugins=[touched._TimeLimit()]))"
    )
    environment = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "2 skipped" in done.stdout and "`make test` runs the rest" in done.stdout
