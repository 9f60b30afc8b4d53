"""The engine as the app and its REST routes see it: one a process, built at the first need, released with the cache.

No spinner here: the REST routes call `get_engine` from their own threads, where nothing can be drawn. A page that waits
shows its own, in the reader's language (`wenmo.ui.components.ask`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from wenmo import Engine
    from wenmo.api.metrics import Metrics


@st.cache_resource(on_release=lambda engine: engine.close(), show_spinner=False)
def get_engine() -> Engine:
    """The engine of this process, from the settings in the environment.

    Raises DeviceError when the settings ask for a device or precision that this machine does not have, InputError when
    one of them cannot be read. Models load at their first use, not here.
    """
    from wenmo.settings import Settings  # here, not above: it brings torch, and the first page should not wait for that

    return Settings.read().build_engine()


@cache  # and not st.cache_resource, which a visitor can clear: page and /metrics would count apart from then on
def get_metrics() -> Metrics:
    """What the REST routes of this process count, for the Service page to show."""
    from wenmo.api.metrics import Metrics

    return Metrics(get_engine)
