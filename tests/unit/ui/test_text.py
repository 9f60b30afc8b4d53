"""Every string of the app: in two languages, used, and beside the page that shows it."""

from __future__ import annotations

import re
import string
from importlib import import_module
from pathlib import Path

import pytest

from tests.conftest import ROOT
from wenmo.ui.localized import Text
from wenmo.ui.text import TEXTS, join

UI = ROOT / "wenmo" / "ui"
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
# How the keys of a page's strings begin, where that is not the name of the page alone.
PREFIXES = {"home": ("home", "tour"), "memory": ("memory", "lab")}


def _said(*sources: Path) -> set[str]:
    """The keys in the code, with {} where a part of a key is computed."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.name != "strings.py")
    return (
        set(re.findall(r"TEXTS\['([\w.]+)'\]", code))
        | set(re.findall(r'say\(\s*f?"([^"]+)"', code))
        | set(re.findall(r'"((?:status|zero_shot)\.\w+)"', code))
    )


def _pattern(key: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{[^}]*\}", "[a-z0-9_]+", key.replace(".", r"\.")))


def _strings(folder: str) -> dict[str, Text]:
    return dict(import_module(f"wenmo.ui.{folder}.strings").STRINGS)


def test_both_languages_say_something_and_take_the_same_values() -> None:
    for key, text in TEXTS.items():
        assert text.zh.strip(), key
        assert text.en.strip(), key
        fields = [{field for _, field, _, _ in string.Formatter().parse(each) if field is not None} for each in text]
        assert fields[0] == fields[1], key


def test_every_text_is_used_and_every_used_text_exists() -> None:
    said = _said(ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *UI.rglob("*.py"))
    patterns = [_pattern(key) for key in said]
    unused = [key for key in TEXTS if not any(pattern.fullmatch(key) for pattern in patterns)]
    assert not unused
    assert not [key for key in said if "{" not in key and key not in TEXTS]


def test_a_key_in_two_places_is_refused() -> None:
    one, other = {"a.b": Text("一", "one")}, {"a.c": Text("二", "two")}
    assert join(one, other) == one | other
    with pytest.raises(ValueError, match=r"a\.b"):
        join(one, other, {"a.b": Text("一", "one")})


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_its_own_strings_and_those_of_the_shell(page: str) -> None:
    own, shared = _strings(page), _strings("shell")
    said = _said(ROOT / "pages" / f"{page}.py", *(UI / page).rglob("*.py"))
    assert not [key for key in said if not any(_pattern(key).fullmatch(each) for each in own | shared)]
    assert {key.partition(".")[0] for key in own} == set(PREFIXES.get(page, (page,)))


def test_the_shell_shows_its_own_strings() -> None:
    """But for the heading, which shows the introduction of any page."""
    said = _said(ROOT / "app.py", *(UI / "shell").rglob("*.py")) - {"{page}.intro"}
    assert not [key for key in said if not any(_pattern(key).fullmatch(each) for each in _strings("shell"))]
