"""Settings of the app, the service and the command line, read once, at the entry, from the environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from wenmo.errors import InputError
from wenmo.models.local import DEFAULT_MODELS_FOLDER
from wenmo.models.registry import DEFAULT_MODELS
from wenmo.types import TASKS, SchedulerLimits, TaskName

if TYPE_CHECKING:
    from wenmo.engine import Engine
    from wenmo.telemetry.events import EventLog

CALLS_AT_ONCE = 64  # each has a thread; what would wait behind so many is better turned away (`bench load`, overload)


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
    return TASKS if value == "all" else _split(value)


def _checked_origin(origin: str) -> str:
    # The * of everyone is left out on purpose: who answers texts of users names the pages that may ask.
    if not re.fullmatch(r"https?://[^\s/*?#@]+", origin):
        raise ValueError("an origin is a scheme and a host, such as https://app.example.org, without path or *")
    return origin


class Settings(BaseSettings):
    """Each field is an environment variable with the prefix WENMO_, such as WENMO_DEVICE=cpu."""

    model_config = SettingsConfigDict(env_prefix="WENMO_", frozen=True, protected_namespaces=())

    device: str = "auto"
    precision: str = "auto"
    similarity_model: str = DEFAULT_MODELS["similarity"]
    sentiment_model: str = DEFAULT_MODELS["sentiment"]
    zero_shot_model: str = DEFAULT_MODELS["zero_shot"]
    embedding_model: str = DEFAULT_MODELS["embedding"]
    models_folder: Path = DEFAULT_MODELS_FOLDER
    calibrated: bool = True
    cache_mib: float = Field(default=64.0, ge=0)
    redis_url: SecretStr | None = None  # it may hold a password
    redis_expiry_s: int = Field(default=86_400, ge=1, le=30 * 86_400)
    redis_timeout_ms: float = Field(default=100.0, gt=0, le=10_000)
    waiting_pieces: int = Field(default=SchedulerLimits.waiting_pieces, ge=1)
    wait_s: float = Field(default=SchedulerLimits.wait_s, gt=0, le=3600)
    calls_at_once: int = Field(default=CALLS_AT_ONCE, ge=1, le=4096)
    sampler_hz: float = Field(default=2.0, ge=2, le=10)
    api_token: Annotated[SecretStr, AfterValidator(_checked_token)] | None = None
    workers: int = Field(default=1, ge=1, le=64)
    requests_per_minute: int | None = Field(default=None, ge=1)
    cors_origins: Annotated[
        tuple[Annotated[str, AfterValidator(_checked_origin)], ...], NoDecode, BeforeValidator(_split)
    ] = ()
    # None: all with --api-only, none beside the pages, whose first visitor should not wait for models.
    preload: Annotated[tuple[TaskName, ...] | None, NoDecode, BeforeValidator(_tasks)] = None
    host: str = "127.0.0.1"
    port: int = Field(default=8501, ge=0, le=65535)

    @classmethod
    def read(cls, **given: Any) -> Settings:
        """The environment, and over it what is `given` and not None. Raises InputError for what cannot be read."""
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            problems = "; ".join(
                f"WENMO_{'_'.join(map(str, problem['loc'])).upper()}: {problem['msg']}" for problem in error.errors()
            )
            raise InputError(
                f"A setting cannot be read. {problems}. Correct the environment variable or the option.",
                f"设置无法读取。{problems}。请更正环境变量或选项。",
            ) from None

    def build_engine(self, *, events: EventLog | None = None, repeatable: bool = False) -> Engine:
        """The engine that these settings describe; it writes to `events`, and is `repeatable` for jobs."""
        from wenmo.engine import Engine

        shared_cache = None
        if self.redis_url:  # an empty one is none
            from wenmo.serving.redis_store import RedisStore

            shared_cache = RedisStore(
                self.redis_url.get_secret_value(), expiry_s=self.redis_expiry_s, timeout_ms=self.redis_timeout_ms
            )
        return Engine(
            device=self.device,
            precision=self.precision,
            calibrated=self.calibrated,
            cache_mib=self.cache_mib,
            shared_cache=shared_cache,
            models_folder=self.models_folder,
            limits=SchedulerLimits(waiting_pieces=self.waiting_pieces, wait_s=self.wait_s),
            models={
                "similarity": self.similarity_model,
                "sentiment": self.sentiment_model,
                "zero_shot": self.zero_shot_model,
                "embedding": self.embedding_model,
            },
            events=events,
            repeatable=repeatable,
        )

    def on_other_machines(self) -> Settings:
        """For Ray's actors, which have another working folder: absolute paths. Each is shown its own GPU alone."""
        changed: dict[str, Any] = {
            "device": "cuda" if self.device.startswith("cuda") else self.device,
            "models_folder": self.models_folder.resolve(),
        }
        for task in TASKS:
            name = getattr(self, f"{task}_model")
            if Path(name).is_dir():
                changed[f"{task}_model"] = str(Path(name).resolve())
        return self.model_copy(update=changed)
