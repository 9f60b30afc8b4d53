"""What `pip install wenmo` leaves out, the extras of pyproject.toml: an error names the one that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wenmo.errors import InputError


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around imports, or work that imports: raises InputError where a package that `extra` brings is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "wenmo"):  # a bug of ours is no missing extra
            raise
        raise InputError(
            f"This needs {package}, which is not installed. Run `pip install 'wenmo[{extra}]'`.",
            f"此功能需要 {package}，尚未安装。请运行 `pip install 'wenmo[{extra}]'`。",
        ) from None
