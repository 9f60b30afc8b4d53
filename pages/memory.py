"""Memory: what is in use now, live."""

from __future__ import annotations

from wenmo.ui import components, live

components.heading("memory")
live.memory()
