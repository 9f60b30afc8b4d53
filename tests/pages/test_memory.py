"""The memory page: what the sampler saw is what is drawn, with no GPU and with simulated ones."""

from __future__ import annotations

import csv
import io
import re
import sys
import time
from html import unescape
from urllib.parse import unquote

import pynvml
import pytest
from streamlit.testing.v1 import AppTest

from tests.fakenvml import GIB, Device, FakeNvml
from tests.pages.conftest import OpenPage, shown, submit
from tests.waiting import until
from wenmo.telemetry.nvml import Gpu, GpuReading
from wenmo.telemetry.sampler import Sample
from wenmo.ui.memory import live
from wenmo.ui.shell import components
from wenmo.ui.shell.runtime import get_events, get_sampler
from wenmo.ui.text import TEXTS


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(broken=pynvml.NVMLError_LibraryNotFound()))
    get_events.cache_clear()  # what earlier tests did is not looked for here


def charts(app: AppTest) -> list[str]:
    """The pictures, as HTML."""
    return [element.proto.body for element in app.get("html") if element.proto.body.startswith("<figure")]


def names(chart: str) -> list[str]:
    """What the legend of a picture says."""
    return re.findall(r"<span[^>]*>([^<]*)</span>", chart.partition("<figcaption>")[2].partition("</figcaption>")[0])


def test_without_a_gpu_the_process_is_drawn_and_the_reason_is_told(open_page: OpenPage) -> None:
    app = open_page("memory")
    labels = [metric.label for metric in app.main.metric]
    assert labels == [TEXTS[f"memory.{name}"].zh for name in ("resident", "weights", "cpu")]
    assert "没有可用的 NVIDIA 驱动" in shown(app) and "NVML Shared Library Not Found" in shown(app)
    assert names(charts(app)[0]) == [TEXTS["memory.resident"].zh, TEXTS["memory.weights"].zh]
    assert all(re.search(r'role="img" aria-label="[^"]+"', chart) for chart in charts(app))


def test_what_was_loaded_and_computed_is_marked(open_page: OpenPage) -> None:
    app = open_page("sentiment")
    app.text_area(key="sentiment_texts").input("今天天气真好")
    submit(app)
    until(lambda: get_sampler().samples()[-1].at_s >= get_events().events()[-1].until_s)  # a sample from afterwards
    app.switch_page("pages/memory.py").run()
    assert not app.exception
    texts = re.findall(r'class="wm-mark[^>]*data-text="([^"]*)"', charts(app)[0])
    assert any("fp32" in text for text in texts)
    assert any(text.startswith("载入") for text in texts)
    assert any("1 个模型输入" in text for text in texts)
    assert any("载入" in element.value for element in app.main.text)
    weights = next(metric for metric in app.main.metric if metric.label == TEXTS["memory.weights"].zh)
    assert weights.value != "0 MiB" and weights.value.endswith("MiB")


def test_two_simulated_gpus_one_of_them_in_mig_mode(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = Device(name="A100 MIG 1g.5gb", uuid="MIG-x", used=GIB, total=5 * GIB)
    nvml = FakeNvml(Device(name="card *one*", used=3 * GIB, busy=71), Device(mig=(1, 1), instances=[instance]))
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    app = open_page("memory")
    headings = [element.value for element in app.main.subheader]
    assert {components.literal("GPU 0: card *one*"), components.literal("GPU 1:0: A100 MIG 1g.5gb")} <= set(headings)
    values = [metric.value for metric in app.main.metric]
    assert "3,072 / 16,384 MiB" in values and "71%" in values
    assert "1,024 / 5,120 MiB" in values
    assert values[-1] == TEXTS["memory.unknown"].zh  # of an instance nobody knows the utilisation
    drawn = [name for chart in charts(app) for name in names(chart)]
    assert drawn.count(TEXTS["memory.used"].zh) == 2
    assert drawn.count(TEXTS["memory.utilization"].zh) == 1


def test_a_gpu_that_goes_in_mid_run_is_said_to_be_unknown(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = FakeNvml(Device(name="card"))
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    app = open_page("memory")
    nvml.broken = pynvml.NVMLError_GpuIsLost()
    until(lambda: get_sampler().samples()[-1].gpus[0].used_mib is None)
    app.run()
    assert not app.exception
    assert TEXTS["memory.unknown"].zh in [metric.value for metric in app.main.metric]
    assert "没有应答" in shown(app)


def full_ring() -> tuple[Sample, ...]:
    """Ten minutes at the highest rate, on four GPUs."""
    now = time.time()
    gpus = tuple(
        GpuReading(
            gpu=Gpu(index=str(index), name="card", uuid=None),
            used_mib=1.0,
            total_mib=2.0,
            utilization_percent=50.0,
            reserved_mib=1.0,
            allocated_mib=0.5,
        )
        for index in range(4)
    )
    return tuple(
        Sample(at_s=now - 600 + number / 10, resident_mib=300.0, cpu_percent=1.0, weights_mib=2.0, gpus=gpus)
        for number in range(6000)
    )


def test_a_page_that_stays_open_does_not_grow(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many points from a full ring as from a short one, and nothing kept in the session for each drawing."""
    samples = full_ring()
    monkeypatch.setattr(type(get_sampler()), "samples", lambda self, **_: samples)
    app = open_page("memory")
    for minutes in ("1", "10"):
        app.session_state["minutes"] = minutes
        app.run()
        assert not app.exception
        assert len(charts(app)) == 10  # memory and utilisation, of the process and of four GPUs
        for chart in charts(app):
            paths = re.findall("d='([^']*)'", unquote(unescape(chart)))
            assert 1 <= len(paths) <= 3
            assert all(20 < len(re.findall("[ML]", path)) <= live.POINTS + 1 for path in paths)
    pictures = charts(app)
    before = str(app.session_state)
    for _ in range(5):
        app.run()
    assert str(app.session_state) == before
    assert list(map(len, charts(app))) == list(map(len, pictures))


def test_a_pause_holds_the_picture_and_ends(open_page: OpenPage) -> None:
    app = open_page("memory")
    app.toggle(key="memory_pause").set_value(True).run()
    assert not app.exception
    held = charts(app)[0]
    newest = get_sampler().samples()[-1].at_s
    until(lambda: get_sampler().samples()[-1].at_s > newest)  # sampling goes on
    app.run()
    assert charts(app)[0] == held
    assert "已暂停" in shown(app)
    app.toggle(key="memory_pause").set_value(False).run()
    assert charts(app)[0] != held
    assert live._FROZEN not in app.session_state


def test_the_ring_can_be_taken_away_as_a_file(open_page: OpenPage) -> None:
    open_page("memory")
    rows = list(csv.DictReader(io.StringIO(live._csv().decode("utf-8-sig"))))
    assert len(rows) >= 1
    assert float(rows[0]["process_mib"]) > 1
    assert rows[0]["process_cpu_percent"] == ""  # not known at the first look, and so not 0


def test_the_sidebar_reads_the_same_ring(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = full_ring()
    monkeypatch.setattr(type(get_sampler()), "samples", lambda self, **_: samples)
    app = open_page("home")
    values = {metric.label: metric.value for metric in app.sidebar.metric}
    assert values[TEXTS["status.memory"].zh] == "300 MiB"
    assert values[TEXTS["status.gpu_memory"].zh] == "1 / 2 MiB"
    assert "memory_mib" not in app.session_state
