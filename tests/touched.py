"""`make quick`: the tests that a change touches, nearest first: `FILES` files at most, for at most `SECONDS`.

A change is what differs from the last commit, or on a clean tree the last commit itself. A test is touched when it is
named after a changed file or its folder, or when a chain of imports leads from it to a changed file; the shorter the
chain, the nearer the test. A file that is named in a string ("style.css", or in a page's test "home") counts as
imported. Coverage (pytest-testmon) would know more, but would first have to run the whole suite under a tracer.

    python -m tests.touched [REVISION]      what differs from REVISION
"""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Collection
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = 12
SECONDS = 35.0
_START_SERVERS = ("tests/api/", "tests/browser/")  # after others that are as near


def main(revision: str | None = None) -> int:
    tests = touched(changed(revision))
    if not tests:
        print("No test is near this change; `make test` runs them all.")
        return 0
    print(f"{len(tests)} test files are touched; the nearest:", *tests[:FILES], sep="\n  ", flush=True)
    return int(pytest.main([*tests[:FILES], "--exitfirst"], plugins=[_TimeLimit()]))


def changed(revision: str | None) -> list[str]:
    """Files that differ from `revision`, as paths from the repository's folder."""
    paths = _git("diff", "--name-only", revision or "HEAD") + _git("ls-files", "--others", "--exclude-standard")
    return paths or ([] if revision else _git("diff", "--name-only", "HEAD~1"))


def touched(paths: Collection[str]) -> list[str]:
    """Test files that lead to `paths`, nearest first, as paths from the repository's folder."""
    users = _users()
    tests = [path for path in users if path.startswith("tests/") and PurePosixPath(path).name.startswith("test_")]
    words = {word for path in paths for word in PurePosixPath(path).with_suffix("").parts}
    named = [test for test in tests if PurePosixPath(test).stem.removeprefix("test_") in words]
    distance = dict.fromkeys(named, 1) | dict.fromkeys(paths, 0)
    queue = list(paths)
    for path in queue:
        for user in users.get(path, ()):  # a deleted file has none
            if user not in distance:
                distance[user] = distance[path] + 1
                queue.append(user)
    touching = [test for test in tests if test in distance]
    return sorted(touching, key=lambda test: (distance[test], test.startswith(_START_SERVERS), test))


@cache
def _users() -> dict[str, list[str]]:
    """Each file of the repository, and the Python files that use it."""
    files = {path for path in _git("ls-files", "--cached", "--others", "--exclude-standard") if (ROOT / path).is_file()}
    users: dict[str, list[str]] = {path: [] for path in sorted(files)}
    for source in sorted(path for path in files if path.endswith(".py")):
        for used in _used_by(source) & files:
            users[used].append(source)
    return users


def _used_by(source: str) -> set[str]:
    """What may be files: all that `source` imports, also within functions, and all that it names in strings."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / source).read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value, f"{PurePosixPath(source).parent}/{node.value}"}
            if source.startswith("tests/pages/"):  # open_page("home")
                found.add(f"pages/{node.value}.py")
        for module in modules:
            path = module.replace(".", "/")
            found |= {f"{path}.py", f"{path}/__init__.py"}
    return found


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


class _TimeLimit:
    def pytest_sessionstart(self) -> None:
        self._until = time.monotonic() + SECONDS

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        if time.monotonic() > self._until:
            pytest.skip(f"{SECONDS:.0f} s are over; `make test` runs the rest")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
