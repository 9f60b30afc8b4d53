"""Building an engine from settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wenmo.engine.engine import Engine
from wenmo.settings import Settings
from wenmo.types import SchedulerLimits

if TYPE_CHECKING:
    from wenmo.telemetry.events import EventLog


def build_engine(settings: Settings, *, events: EventLog | None = None, repeatable: bool = False) -> Engine:
    """The engine that `settings` describe. `repeatable` is for jobs, see Engine."""
    shared_cache = None
    if settings.redis_url:  # neither None nor empty
        from wenmo.serving.redis_store import RedisStore

        shared_cache = RedisStore(
            settings.redis_url.get_secret_value(),
            expiry_s=settings.redis_expiry_s,
            timeout_ms=settings.redis_timeout_ms,
        )
    return Engine(
        runtime=settings.runtime,
        device=settings.device,
        precision=settings.precision,
        calibrated=settings.calibrated,
        cache_mib=settings.cache_mib,
        shared_cache=shared_cache,
        models_folder=settings.models_folder,
        limits=SchedulerLimits(waiting_tokens=settings.waiting_tokens, wait_s=settings.wait_s),
        models=settings.models,
        label_names=settings.label_names,
        events=events,
        repeatable=repeatable,
    )
