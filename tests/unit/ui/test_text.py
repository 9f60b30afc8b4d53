"""Every text of the app in two languages, each of them used."""

from __future__ import annotations

import re
import string

from tests.conftest import ROOT
from wenmo.ui.text import TEXTS


def test_both_languages_say_something_and_take_the_same_values() -> None:
    for key, text in TEXTS.items():
        assert text.zh.strip(), key
        assert text.en.strip(), key
        fields = [{field for _, field, _, _ in string.Formatter().parse(each) if field is not None} for each in text]
        assert fields[0] == fields[1], key


def test_every_text_is_used_and_every_used_text_exists() -> None:
    sources = [ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "wenmo" / "ui").rglob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.name != "text.py")
    said = set(re.findall(r'say\(\s*f?"([^"]+)"', code)) | set(re.findall(r'"((?:status|zero_shot)\.\w+)"', code))
    patterns = [re.compile(re.escape(key).replace(r"\{", "{").replace(r"\}", "}")) for key in said if "{" not in key]
    for key in said:
        if "{" in key:
            patterns.append(re.compile(re.sub(r"\{[^}]*\}", "[a-z0-9_]+", key.replace(".", r"\."))))
    unused = [key for key in TEXTS if not any(pattern.fullmatch(key) for pattern in patterns)]
    assert not unused
    assert not [key for key in said if "{" not in key and key not in TEXTS]
