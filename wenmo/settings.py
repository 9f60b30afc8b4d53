"""Settings of the app, the service and the command line, read from the environment once, at the entry point."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from wenmo.errors import InputError
from wenmo.models.hubs import HubName, qualified
from wenmo.models.local import DEFAULT_MODELS_FOLDER
from wenmo.tasks.table import TASKS
from wenmo.types import RuntimeName, SchedulerLimits, TaskName

CALLS_AT_ONCE = 64  # a thread each; more calls only wait longer (`bench load`, overload)


def _checked_token(token: SecretStr) -> SecretStr:
    bare = token.get_secret_value().strip()  # a file with a secret ends in a newline
    if not re.fullmatch(r"[!-~]{16,}", bare):
        raise ValueError("a token has 16 or more characters, of ASCII and without spaces")
    return SecretStr(bare)


def _split(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _tasks(value: Any) -> Any:
    tasks = tuple(TASKS) if value == "all" else _split(value)
    unknown = [task for task in tasks or () if task not in TASKS]
    if unknown:
        raise ValueError(f"{', '.join(map(repr, unknown))}: the tasks are {', '.join(TASKS)}")
    return tasks


def _checked_origin(origin: str) -> str:
    # No * on purpose: the operator names the sites that may send users' texts here.
    if not re.fullmatch(r"https?://[^\s/*?#@]+", origin):
        raise ValueError("an origin is a scheme and a host, such as https://app.example.org, without path or *")
    return origin


def _models(overrides: Mapping[str, str]) -> dict[str, str]:
    """The model of each task: from `overrides`, else from the environment, else the bundled one; "" for none."""
    return {
        task: overrides.get(task) or os.environ.get(f"WENMO_{task.upper()}_MODEL") or spec.bundled
        for task, spec in TASKS.items()
    }


def _checked_host(name: str) -> str:
    if not re.fullmatch(r"\*|(?:\*\.)?[\w-]+(?:\.[\w-]+)*", name):
        raise ValueError("a host is a name such as wenmo.example.org, *.example.org for all below it, or *; no port")
    return name


class Settings(BaseSettings):
    """Each field is read from the environment variable WENMO_<FIELD>, for example WENMO_DEVICE=cpu."""

    model_config = SettingsConfigDict(env_prefix="WENMO_", frozen=True, protected_namespaces=(), populate_by_name=True)

    runtime: RuntimeName = "torch"
    device: str = "auto"
    precision: str = "auto"
    # One variable a task: WENMO_SENTIMENT_MODEL=iic/…, WENMO_ZERO_SHOT_MODEL=…
    models: Annotated[dict[str, str], NoDecode] = Field(default_factory=lambda: _models({}))
    hub: HubName = "modelscope"  # of ids without a prefix
    # What the labels of a task's model are called, in the order of their ids, where the model does not say: JSON.
    label_names: dict[str, str] = {}
    models_folder: Path = DEFAULT_MODELS_FOLDER
    calibrated: bool = True
    cache_mib: float = Field(default=64.0, ge=0)
    redis_url: SecretStr | None = None  # may contain a password
    redis_expiry_s: int = Field(default=86_400, ge=1, le=30 * 86_400)
    redis_timeout_ms: float = Field(default=100.0, gt=0, le=10_000)
    waiting_tokens: int = Field(
        default=SchedulerLimits.waiting_tokens,
        ge=1,
        # The second is the former name.
        validation_alias=AliasChoices("WENMO_WAITING_TOKENS", "WENMO_WAITING_PIECES"),
    )
    wait_s: float = Field(default=SchedulerLimits.wait_s, gt=0, le=3600)
    calls_at_once: int = Field(default=CALLS_AT_ONCE, ge=1, le=4096)
    sampler_hz: float = Field(default=2.0, ge=2, le=10)
    api_token: Annotated[SecretStr, AfterValidator(_checked_token)] | None = None
    workers: int = Field(default=1, ge=1, le=64)
    requests_per_minute: int | None = Field(default=None, ge=1)
    cors_origins: Annotated[
        tuple[Annotated[str, AfterValidator(_checked_origin)], ...], NoDecode, BeforeValidator(_split)
    ] = ()
    # Names with a dot under which the service answers; addresses and names without a dot always are.
    allowed_hosts: Annotated[
        tuple[Annotated[str, AfterValidator(_checked_host)], ...], NoDecode, BeforeValidator(_split)
    ] = ()
    pages_password: Annotated[SecretStr, AfterValidator(_checked_token)] | None = None
    pages_folders: bool = False  # whether visitors of the pages may name folders of this machine as models
    # None: all tasks with --api-only, none with pages, whose first visitor should not wait for models to load.
    preload: Annotated[tuple[TaskName, ...] | None, NoDecode, BeforeValidator(_tasks)] = None
    indexes: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split)] = ()  # that MCP's search has
    host: str = "127.0.0.1"
    port: int = Field(default=8501, ge=0, le=65535)

    @classmethod
    def read(cls, **given: Any) -> Settings:
        """Settings from the environment, overridden by those `given` that are not None, such as `sentiment_model`.

        Raises InputError for invalid values.
        """
        overrides = {name: value for name, value in given.items() if value is not None}
        models = {task: overrides.pop(name) for task in TASKS if (name := f"{task}_model") in overrides}
        try:
            settings = cls(models=_models(models), **overrides)
            if settings.runtime == "onnx":  # no bundled model is an ONNX file
                own = {task: "" if name == TASKS[task].bundled else name for task, name in settings.models.items()}
                settings = settings.model_copy(update={"models": own})
            named = {task: qualified(name, settings.hub) for task, name in settings.models.items()}
            return settings.model_copy(update={"models": named})
        except ValidationError as error:
            problems = "; ".join(
                f"WENMO_{'_'.join(map(str, problem['loc'])).upper().removeprefix('WENMO_')}: {problem['msg']}"
                for problem in error.errors()
            )
            raise InputError(
                f"A setting cannot be read. {problems}. Correct the environment variable or the option.",
                f"设置无法读取。{problems}。请更正环境变量或选项。",
            ) from None

    def to_preload(self, default: Iterable[TaskName]) -> tuple[TaskName, ...]:
        """The tasks whose models are loaded at the start, by default those of `default`.

        Tasks without a bundled model for which none was named are left out: they could never be loaded.
        """
        return tuple(task for task in (default if self.preload is None else self.preload) if self.models[task])

    def on_other_machines(self) -> Settings:
        """For Ray's actors: absolute paths, as their working folder differs, and "cuda", as each sees only its GPU."""
        changed: dict[str, Any] = {
            "device": "cuda" if self.device.startswith("cuda") else self.device,
            "models_folder": self.models_folder.resolve(),
        }
        changed["models"] = {
            task: str(Path(name).resolve()) if name and Path(name).is_dir() else name
            for task, name in self.models.items()
        }
        return self.model_copy(update=changed)
