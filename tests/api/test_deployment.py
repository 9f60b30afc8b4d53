"""The container files, without a container engine: what they say is read, and what they start is started and called.

Not covered: that the image builds (the base image and its packages are not fetched here).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

import wenmo
from tests.conftest import ROOT
from tests.serving import serving
from tests.waiting import free_port, until
from wenmo.settings import Settings
from wenmo.tasks.table import TASKS

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
GPU = yaml.safe_load((ROOT / "docker-compose.gpu.yml").read_text(encoding="utf-8"))


def stages() -> dict[str, list[tuple[str, str]]]:
    """The Dockerfile's instructions, each on one line, by the names of its stages."""
    lines = [line for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if line.strip()]
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    found: dict[str, list[tuple[str, str]]] = {}
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        instruction, rest = line.split(maxsplit=1)
        if instruction == "FROM":
            found[rest.split(" AS ")[1]] = []
        list(found.values())[-1].append((instruction, rest))
    return found


STAGES = stages()
DOCKERFILE = STAGES["base"] + STAGES["service"] + STAGES["app"]  # of the image that is built by default


def only(name: str) -> str:
    (rest,) = [rest for instruction, rest in DOCKERFILE if instruction == name]
    return rest


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in only("ENV").split())


def environment_of(service: str) -> dict[str, str]:
    """As compose gives it where nothing is set: the image's, and over it the service's with its defaults."""
    given = {name: value for name, value in COMPOSE["services"][service]["environment"].items() if value is not None}
    filled = {name: str(value) for name, value in given.items()}
    for _ in range(2):  # a default may be a variable with a default
        filled = {name: re.sub(r"\$\{\w+:-([^${}]*)\}", r"\1", value) for name, value in filled.items()}
    return {**image_environment(), **filled}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/app of the image: what the Dockerfile copies, of what .dockerignore lets through."""
    folder = tmp_path_factory.mktemp("image") / "app"
    (folder / "models").mkdir(parents=True)
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = {rule[1:] for rule in rules if rule.startswith("!")}
    kept_back = [rule.removeprefix("**/") for rule in rules if rule and rule[0] not in "!#" and rule != "*"]

    def ignored(_: str, names: list[str]) -> set[str]:
        return {name for name in names if any(fnmatch(name, Path(rule).name) for rule in kept_back)}

    for instruction, rest in DOCKERFILE:
        if instruction == "COPY":
            source, target = rest.split()
            assert source in let_through, f"{source} is not sent to the builder"
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, folder / target, ignore=ignored)
            else:
                shutil.copy(ROOT / source, folder / target)
    return folder


def in_image(environment: dict[str, str], app: Path) -> dict[str, str]:
    inside = {name: value.replace("/app", str(app)) for name, value in environment.items()}
    # The tests' own models and paths would hide that the image lacks something.
    return {**inside, "PYTHONPATH": "", "WENMO_HOST": "127.0.0.1"}


@pytest.fixture(autouse=True)
def _only_what_the_files_set(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests import serving as module

    bare = {name: value for name, value in module.ENVIRONMENT.items() if not name.startswith("WENMO_")}
    monkeypatch.setattr(module, "ENVIRONMENT", bare)


@pytest.mark.parametrize("service", ["wenmo-app", "wenmo-api"])
def test_the_command_of_each_service_starts_and_answers(app: Path, tmp_path: Path, service: str) -> None:
    """From a folder with nothing but the image's files, with the bundled models, and with no Redis to be found."""
    command = COMPOSE["services"][service].get("command") or json.loads(only("CMD"))
    assert command[0] == "python"
    environment = {**in_image(environment_of(service), app), "WENMO_PRECISION": "fp32"}
    with serving(app, program=tuple(command[1:]), health="/api/health/ready", environment=environment) as (client, _):
        assert len(client.get("/api/health/ready").json()["loaded"]) == 4  # WENMO_PRELOAD
        text = "墨色温润，包装也用心"
        answer = client.post("/analyze", json={"text": text}).json()
        with wenmo.Engine(device="cpu", precision="fp32") as engine:
            (expected,) = engine.sentiment([text])
        assert answer["confidence"] == pytest.approx(max(expected.positive, 1 - expected.positive), abs=1e-4)
        assert ("text/html" in client.get("/").headers["content-type"]) is (service == "wenmo-app")
        healthcheck = {**os.environ, **environment, "WENMO_PORT": str(client.base_url.port)}
        until(lambda: run_healthcheck(healthcheck) == 0)  # of several workers one may still be loading
        assert run_healthcheck({**healthcheck, "WENMO_PORT": str(free_port())}) != 0


def run_healthcheck(environment: dict[str, str]) -> int:
    command = json.loads(only("HEALTHCHECK").split("CMD", 1)[1])
    assert command[0] == "python"
    return subprocess.run([sys.executable, *command[1:]], env=environment, capture_output=True, check=False).returncode


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    linter = Path(sysconfig.get_path("scripts")) / "hadolint"
    ended = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_the_image_runs_as_nobody_special_and_holds_no_secret() -> None:
    assert only("USER") == "10001" and "--uid 10001" in only_run("useradd")
    order = [instruction for instruction, _ in DOCKERFILE]
    assert order.index("USER") > max(index for index, name in enumerate(order) if name in ("COPY", "RUN"))
    assert not re.search(r"token|secret|password", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.IGNORECASE)
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignore[1] == "*" and ".streamlit/secrets.toml" in ignore


def test_the_image_without_torch_has_what_its_settings_name() -> None:
    """What is exported is what the services' variables name, and nothing that it copies is kept from the builder."""
    assert list(STAGES)[-1] == "app"
    let_through = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sources = [rest.split()[0] for stage in STAGES.values() for name, rest in stage if name == "COPY"]
    assert all(f"!{source}" in let_through for source in sources if not source.startswith("--from="))
    (environment,) = [rest for name, rest in STAGES["onnx"] if name == "ENV"]
    settings = dict(pair.split("=", 1) for pair in environment.split())
    assert settings["WENMO_RUNTIME"] == "onnx"
    (loop,) = [rest for name, rest in STAGES["export"] if name == "RUN" and " export " in rest]
    exported = re.search(r"for task in ([\w -]+);", loop)
    assert exported is not None and '"wenmo-$task" "/app/onnx/$task" --to onnx' in loop
    bundled = {spec.name: spec.slug for spec in TASKS.values() if spec.bundled}
    assert sorted(exported[1].split()) == sorted(bundled.values())
    for task, slug in bundled.items():
        assert settings[f"WENMO_{task.upper()}_MODEL"] == f"/app/onnx/{slug}"
    pins = (ROOT / "requirements-onnx.txt").read_text(encoding="utf-8")
    assert "onnxruntime==" in pins and not re.search(r"^(torch|numba|transformers|streamlit)\b", pins, re.MULTILINE)
    names = [name for name, _ in STAGES["onnx"]]
    assert ("USER", "10001") in STAGES["onnx"] and names.index("USER") > max(
        index for index, name in enumerate(names) if name in ("COPY", "RUN")
    )


def only_run(word: str) -> str:
    (rest,) = [rest for instruction, rest in DOCKERFILE if instruction == "RUN" and word in rest]
    return rest


def test_every_setting_that_the_files_name_is_one() -> None:
    known = {f"WENMO_{name.upper()}" for name in (*Settings.model_fields, *(f"{task}_model" for task in TASKS))}
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("docker-compose.yml", "Dockerfile"))
    assert set(re.findall(r"WENMO_[A-Z_]+[A-Z]", text)) <= known


def test_it_starts_without_a_gpu_and_reserves_one_with_the_second_file() -> None:
    assert "deploy" not in COMPOSE["services"]["wenmo-app"]
    for service in GPU["services"].values():
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", 1, ["gpu"])
        (build_argument,) = service["build"]["args"]
        assert build_argument in [rest.split("=")[0] for name, rest in DOCKERFILE if name == "ARG"]
    assert set(GPU["services"]) <= set(COMPOSE["services"])


def test_services_are_published_as_the_documentation_says_and_redis_is_not() -> None:
    services: dict[str, Any] = COMPOSE["services"]
    assert services["wenmo-app"]["ports"] == ["8501:8501"]
    assert "./models:/app/models" in services["wenmo-app"]["volumes"]
    assert image_environment()["MODELSCOPE_CACHE"] == "/app/models"
    assert "ports" not in services["redis"]
    command = services["redis"]["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "allkeys-lru" and "--maxmemory" in command
    assert "healthcheck" in services["redis"]
    assert Settings.read(redis_url=services["wenmo-app"]["environment"]["WENMO_REDIS_URL"]).redis_url is not None


def test_the_table_of_settings_is_complete_and_tells_the_defaults() -> None:
    text = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(WENMO_[A-Z_]+)` \| ([^|]+) \|", text, re.MULTILINE))
    fields = {name: field for name, field in Settings.model_fields.items() if name != "models"}
    assert set(rows) == {f"WENMO_{name.upper()}" for name in (*fields, *(f"{task}_model" for task in TASKS))}
    for name, field in fields.items():
        told = rows[f"WENMO_{name.upper()}"].strip()
        if isinstance(field.default, (str, int, float)) and not isinstance(field.default, bool):
            assert told == f"`{field.default:g}`" if isinstance(field.default, float) else f"`{field.default}`"
        elif isinstance(field.default, bool):
            assert told == f"`{int(field.default)}`"
        else:
            assert told == "–"
