"""The REST service on Ray Serve: `serve run wenmo.cluster:app`, the same routes as `python -m wenmo serve --api-only`.

Each replica has its own engine and loads its models before Serve sends it calls. Serve adds and removes replicas with
the number of ongoing calls. Settings are the WENMO_* variables in the environment of `serve run`, except host, port and
workers, which are Serve's. Arguments follow the name: `serve run wenmo.cluster:app max_replicas=8 cores=2`.

Not covered: replicas share no results (unless Redis is set), and each has its own metrics and rate limits.
"""

from __future__ import annotations

import os
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ray import serve
from ray.serve import Application
from starlette.types import ASGIApp

from wenmo.errors import InputError
from wenmo.settings import Settings
from wenmo.tasks.table import TASKS


class Scale(BaseModel):
    """The arguments: number of replicas, cores and GPUs of each, and the ongoing calls per replica to aim for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_replicas: int = Field(default=1, ge=0)
    max_replicas: int = Field(default=4, ge=1)
    cores: int = Field(default=1, ge=1)
    gpus: float = Field(default=0.0, ge=0)
    target_ongoing_requests: float = Field(default=8.0, gt=0)
    upscale_delay_s: float = Field(default=10.0, ge=0)  # how long the load must be high before a replica is added
    downscale_delay_s: float = Field(default=300.0, ge=0)  # and low before one is removed

    @model_validator(mode="after")
    def _check_order(self) -> Scale:
        if self.min_replicas > self.max_replicas:
            raise ValueError(f"min_replicas ({self.min_replicas}) is over max_replicas ({self.max_replicas})")
        return self


class Replica:
    def __init__(self, settings: Settings, cores: int) -> None:
        import torch

        torch.set_num_threads(cores)
        self._settings = settings
        from wenmo.engine.build import build_engine

        self._engine = build_engine(settings)
        for task in settings.to_preload(TASKS):
            self._engine.model_info(task)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        from wenmo.api.server_setup import log_calls
        from wenmo.api.standalone import create_service

        log_calls()
        return create_service(self._settings, self._engine, alone=False)


def app(arguments: dict[str, Any]) -> Application:
    """The application that Serve runs. Raises InputError for invalid arguments or settings."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        scale = Scale.model_validate(arguments)
    except ValidationError as error:
        problems = "; ".join(": ".join([*map(str, problem["loc"]), problem["msg"]]) for problem in error.errors())
        raise InputError(
            f"These arguments cannot be used: {problems}. Choose from {', '.join(Scale.model_fields)}.",
            f"参数无法使用：{problems}。可选：{'、'.join(Scale.model_fields)}。",
        ) from None
    settings = Settings.read().on_other_machines()
    deployment = serve.deployment(
        name="wenmo",
        autoscaling_config=scale.model_dump(exclude={"cores", "gpus"}),
        max_ongoing_requests=settings.calls_at_once,  # the replica's engine batches them
        max_queued_requests=settings.calls_at_once,  # further calls get a 503
        ray_actor_options={"num_cpus": scale.cores, "num_gpus": scale.gpus},
    )
    return deployment(serve.ingress()(Replica)).bind(settings, scale.cores)
