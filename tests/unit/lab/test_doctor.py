"""What `wenmo doctor` says of a machine, and its tables on the device that every machine has."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.conftest import GOLDEN_MODELS
from wenmo.__main__ import main
from wenmo.engine import auto_precision
from wenmo.lab import doctor
from wenmo.lab.configuration import Configuration
from wenmo.lab.presets import Preset, article
from wenmo.settings import Settings

NAMES = ["versions", "processor", "threads", "memory", "gpus"]


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(auto_precision, "FOLDER", tmp_path / "precision")
    monkeypatch.setenv("WENMO_PRECISION", "auto")
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    for task, folder in GOLDEN_MODELS.items():
        monkeypatch.setenv(f"WENMO_{task.upper()}_MODEL", folder)
    yield


def test_everything_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    found = {check["name"]: check for check in json.loads(last)["checks"]}
    models = [f"model {task}" for task in GOLDEN_MODELS]
    assert sorted(found) == sorted([*NAMES, *models, "disk", "hub", "port"])
    assert all(check["text"] and check["text_zh"] for check in found.values())
    assert found["versions"]["values"]["torch"] == torch.__version__
    assert found["model sentiment"]["values"]["precision"] in ("fp32", "bf16", "int8")
    assert not found["hub"]["values"]["reachable"] and found["hub"]["advice"]
    assert any(line.startswith("processor") for line in lines)


def test_what_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WENMO_SENTIMENT_MODEL", str(tmp_path / "nowhere"))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(doctor, "_allowed_cores", lambda: 1.5)
    monkeypatch.setattr(doctor, "available_bytes", lambda: 2**29)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = {each.name: each for each in doctor.checks(Settings.read(port=taken.getsockname()[1]))}
    assert "OMP_NUM_THREADS=1" in (found["threads"].advice or "")
    assert found["memory"].advice and found["memory"].advice_zh
    assert "nowhere" in (found["model sentiment"].advice or "")
    assert found["port"].advice and not found["port"].values["free"]
    assert found["model similarity"].advice is None  # one broken model hides no other


def test_a_free_port_and_enough_of_everything() -> None:
    assert doctor._port(Settings.read(port=0)).advice is None
    assert doctor._threads().values["threads"] == torch.get_num_threads()


def test_the_tables_of_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(model: str, **_: str) -> Preset:
        (first, *_rest) = article(model).steps
        one = Configuration(model=model, lengths=(16, 16), precision="fp32")
        return Preset(name="article", steps=(replace(first, configuration=one),))

    monkeypatch.setattr(doctor, "article", short)
    found = doctor.tables("cpu", model="tiny", shape="bundled", count=4)
    (row,) = found["memory"]
    assert row["measured"] > 0 and row["predicted"] > 0
    exact = [each for each in found["parity"] if each["precision"] == "fp32"]
    assert [each["task"] for each in exact] == ["similarity", "sentiment", "zero_shot", "embedding"]
    assert all(each["change"] < 1e-5 and each["decisions"] == 0 for each in exact)
    assert {figure["name"] for figure in found["throughput"]["figures"]} == {"wenmo fp32", "wenmo int8"}
    json.dumps(found)
