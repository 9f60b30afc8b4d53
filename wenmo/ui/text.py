"""The lookup of every string that the app shows: `say("app.stop")` answers in the reader's language.

The strings themselves are in `wenmo/ui/<page>/strings.py` beside the page that shows them, and in
`wenmo/ui/shell/strings.py` where the shell or several pages do. They are Markdown: values put into them
(`say(key, count=3)`) are numbers and names of the app's own, never text that a user typed.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from wenmo.errors import Language
from wenmo.tasks.table import TASKS
from wenmo.types import TaskName
from wenmo.ui.adapt import strings as adapt
from wenmo.ui.batch import strings as batch
from wenmo.ui.classify import strings as classify
from wenmo.ui.home import strings as home
from wenmo.ui.localized import Text
from wenmo.ui.match import strings as match
from wenmo.ui.memory import strings as memory
from wenmo.ui.models import strings as models
from wenmo.ui.sentiment import strings as sentiment
from wenmo.ui.service import strings as service
from wenmo.ui.shell import strings as shell
from wenmo.ui.similarity import strings as similarity
from wenmo.ui.story import strings as story
from wenmo.ui.throughput import strings as throughput
from wenmo.ui.zero_shot import strings as zero_shot

LANGUAGE_KEY = "lang"  # key of the switch, and of the address: ?lang=en
LANGUAGES: Mapping[Language, str] = {"zh": "中文", "en": "English"}


def join(*tables: Mapping[str, Text]) -> Mapping[str, Text]:
    """One table with the strings of all `tables`. Raises ValueError where two of them have the same key."""
    joined: dict[str, Text] = {}
    for table in tables:
        if twice := joined.keys() & table.keys():
            raise ValueError(f"Strings with the same key in two places: {', '.join(sorted(twice))}")
        joined |= table
    return joined


TEXTS = join(
    shell.STRINGS,
    home.STRINGS,
    similarity.STRINGS,
    match.STRINGS,
    sentiment.STRINGS,
    zero_shot.STRINGS,
    classify.STRINGS,
    batch.STRINGS,
    memory.STRINGS,
    throughput.STRINGS,
    story.STRINGS,
    models.STRINGS,
    adapt.STRINGS,
    service.STRINGS,
)


def language() -> Language:
    """The reader's language: Chinese until the switch says otherwise."""
    return "en" if st.session_state.get(LANGUAGE_KEY) == "en" else "zh"


def say_label(task: TaskName | None, label: str) -> str:
    """A label that a model of `task` gave, in the reader's language where it is one of the task's own."""
    return label if task is None else TASKS[task].label_in(label, language())


def say(key: str, **values: object) -> str:
    """The string of `key` in the reader's language, as Markdown, with `values` put in."""
    return getattr(TEXTS[key], language()).format(**values)
