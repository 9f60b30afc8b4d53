"""`python -m wenmo serve` as its users meet it: a process of its own, started from another folder, over loopback."""

from __future__ import annotations

import signal
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

import wenmo
from tests.conftest import GOLDEN_MODELS as MODELS
from tests.conftest import ROOT
from tests.serving import run, run_page, serving
from tests.waiting import WAIT_S

# A page that shows what the engine it sees has loaded.
PROBE = """import streamlit as st
from wenmo.ui.shell.runtime import get_engine
st.text(str(get_engine().loaded_tasks()))
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def client(elsewhere: Path) -> Iterator[httpx2.Client]:
    with serving(elsewhere) as (client, _):
        yield client


def test_rest_answers_as_the_engine(client: httpx2.Client) -> None:
    pairs = [("雨停了，去河边走走", "不下雨了，到河边散步吧"), ("墨", "")]
    body = client.post("/api/v1/similarity", json={"pairs": pairs}).json()
    with wenmo.Engine(device="cpu", precision="fp32", models=MODELS) as engine:
        similar, moods = engine.similarity(pairs), engine.sentiment(["墨色温润"])
    for got, expected in zip(body["results"], similar, strict=True):
        assert got["scores"] == pytest.approx(dict(expected.scores), abs=1e-6)  # another process, perhaps other threads
    assert (body["model"], body["precision"]) == (MODELS["similarity"], "fp32")

    body = client.post("/analyze", json={"text": "墨色温润"}).json()
    assert body["confidence"] == pytest.approx(moods[0].score, abs=1e-6)
    assert body["text"] == "墨色温润"


def test_rest_and_pages_share_the_addresses(client: httpx2.Client) -> None:
    assert "text/html" in client.get("/").headers["content-type"]
    assert "text/html" in client.get("/compare").headers["content-type"]
    assert client.get("/api/health").json() == {"status": "ok"}
    assert client.get("/analyze").status_code == 405
    assert client.get("/api/nowhere").headers["content-type"] == "application/problem+json"
    assert client.post("/analyze", json={}).status_code == 400
    # The schema names the place under which it was asked for, so that a client made from it finds the routes.
    assert client.get("/api/openapi.json").json()["servers"] == [{"url": "/api"}]


def test_the_first_page_runs_in_the_projects_theme(client: httpx2.Client) -> None:
    messages = run_page(client)
    session = next(message.new_session for message in messages if message.HasField("new_session"))
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert session.custom_theme.heading_font == settings["theme"]["headingFont"]
    assert session.config.gather_usage_stats is False
    elements = [message.delta.new_element for message in messages if message.HasField("delta")]
    assert not [element.exception.message for element in elements if element.HasField("exception")]
    assert messages[-1].script_finished == ForwardMsg.FINISHED_SUCCESSFULLY


def test_pages_and_rest_share_one_engine(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(PROBE, encoding="utf-8")
    (tmp_path / "launch.py").write_text(
        "import pathlib, sys, wenmo.server\n"
        "from wenmo.__main__ import main\n"
        "wenmo.server.MAIN_SCRIPT = pathlib.Path('app.py').resolve()\n"
        "main(['serve', *sys.argv[1:]])\n",
        encoding="utf-8",
    )

    def shown(client: httpx2.Client) -> list[str]:
        messages = run_page(client)
        return [message.delta.new_element.text.body for message in messages if message.HasField("delta")]

    with serving(tmp_path, program=("launch.py",)) as (client, _):
        assert shown(client) == ["()"]
        client.post("/api/v1/sentiment", json={"texts": ["墨色温润"]}).raise_for_status()
        assert shown(client) == ["('sentiment',)"]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path: Path, stop: signal.Signals) -> None:
    (tmp_path / "launch.py").write_text(
        "import sys\n"
        "from wenmo.__main__ import main\n"
        "from wenmo.ui.shell.runtime import get_engine\n"
        "engine = get_engine()\n"
        "status = main(['serve', *sys.argv[1:]])\n"
        "print('afterwards', status, engine.loaded_tasks())\n",
        encoding="utf-8",
    )
    with serving(tmp_path, program=("launch.py",)) as (client, process):
        client.post("/analyze", json={"text": "好"}).raise_for_status()  # loads a model, which is to be let go
        run_page(client)
        process.send_signal(stop)
        assert process.wait(WAIT_S) == 0
    said = (tmp_path / "server.log").read_text(encoding="utf-8")
    assert "afterwards 0 ()" in said, said
    assert "Traceback" not in said, said


@pytest.mark.parametrize(
    ("host", "port", "says"),
    [
        ("127.0.0.1", None, "Cannot listen on 127.0.0.1, port "),
        ("203.0.113.1", "8501", "Cannot listen on 203.0.113.1, port 8501"),
        ("127.0.0.1", "99999", "A setting cannot be read. WENMO_PORT: "),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_said(tmp_path: Path, host: str, port: str | None, says: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = port or str(other.getsockname()[1])
        ended = run(tmp_path, "-m", "wenmo", "serve", "--host", host, "--port", port)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"wenmo: {says}")
    assert "Traceback" not in ended.stderr


def test_streamlit_run_needs_no_server(tmp_path: Path) -> None:
    program = ("-m", "streamlit", "run", str(ROOT / "app.py"), "--server.address", "127.0.0.1")
    with serving(tmp_path, program=program, port_option="--server.port") as (client, _):
        assert run_page(client)[-1].script_finished == ForwardMsg.FINISHED_SUCCESSFULLY
        assert "application/json" not in client.get("/api/health").headers["content-type"]


@pytest.mark.parametrize("upgrade", ["h2c", "TLS/1.0", "foo"])
def test_an_upgrade_that_is_not_known_is_ignored(client: httpx2.Client, upgrade: str) -> None:
    headers = {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": upgrade,
        "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA",
    }
    answer = client.post("/api/v1/sentiment", json={"texts": ["墨色温润"]}, headers=headers)
    assert answer.status_code == 200 and len(answer.json()["results"]) == 1


def test_uploads_are_held_on_disk(client: httpx2.Client) -> None:
    """The route of uploads goes through the gate; without a session nothing is taken."""
    url = "/_stcore/upload_file/nobody/1"
    assert client.put(url, content=iter([b"x"])).status_code == 411
    assert client.put(url, content=b"x").status_code in (400, 403)


def test_without_a_place_for_temporary_files_it_does_not_start(tmp_path: Path) -> None:
    code = (
        "import tempfile\n"
        "def nowhere(*_, **__): raise FileNotFoundError(2, 'No usable temporary directory found')\n"
        "tempfile.TemporaryFile = nowhere\n"
        "from wenmo.__main__ import main\n"
        "raise SystemExit(main(['serve', '--port', '0']))\n"
    )
    ended = run(tmp_path, "-c", code)
    assert ended.returncode == 2 and "TMPDIR" in ended.stderr
