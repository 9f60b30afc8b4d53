"""The memory page in a real browser: the article's preset and its report, a run that is stopped, an hour in small."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, expect

from docs.screenshots import running_app
from tests.browser.conftest import settle
from tests.waiting import until
from wenmo.lab.configuration import Configuration
from wenmo.lab.predict import predict
from wenmo.lab.presets import EIGHT_PAIRS, PADDED

# The app with a ring as full as after ten minutes, drawn as often as the browser can.
_LONG_OPEN = """
from dataclasses import replace
from wenmo.__main__ import main
from wenmo.telemetry.sampler import Sampler
from wenmo.ui.memory import live

def started(self, start=Sampler.start):
    now, count = replace(self.sample(), cpu_percent=0.0), self._ring.maxlen
    self._ring.extend(replace(now, at_s=now.at_s - (count - place) / self.hz) for place in range(count))
    return start(self)

Sampler.start, live._REDRAW_S = started, 0.2
main(["serve"])
"""
_REDRAWS = 60  # two minutes of a page that is open


def _choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def _measuring() -> list[psutil.Process]:
    """Children of the app's process, which is one of this one's."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "wenmo.lab.measure" in child.cmdline():
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def _wait(page: Page, condition: Callable[[], bool]) -> None:
    until(condition, every_s=0.1, pause=lambda seconds: page.wait_for_timeout(1000 * seconds))


def test_the_articles_preset_and_its_report(address: str, browser: Browser, page: Page, tmp_path: Path) -> None:
    """What the downloaded report says is what the predictor says, and it opens without the app or a network."""
    padded = Configuration(model="tiny", lengths=EIGHT_PAIRS, layout="padded", pad_to=PADDED)
    before = predict(padded).gpu
    after = predict(Configuration(model="tiny", lengths=EIGHT_PAIRS, precision="fp16")).gpu
    assert before is not None and after is not None
    page.goto(f"{address}/usage?mode=lab&preset=article")
    settle(page)
    _choose(page, "模型", "tiny")
    _choose(page, "在本机实测", "不实测，只预测")
    page.get_by_role("button", name="开始", exact=True).click()
    expect(page.get_by_role("heading", name="与文章的表格对照")).to_be_visible()
    settle(page)
    files = {}
    for name, kind in (("下载报告 HTML", "html"), ("下载 CSV", "csv")):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        files[kind] = tmp_path / f"report.{kind}"
        download.value.save_as(files[kind])
    alone = browser.new_context(offline=True).new_page()
    alone.goto(files["html"].as_uri())
    expect(alone.get_by_role("heading", name="文墨共鸣 · 显存报告")).to_be_visible()
    saved = 1 - after.allocated / before.allocated
    expected = f"{before.allocated / 2**20:.1f} MiB → {after.allocated / 2**20:.1f} MiB (−{saved:.1%})"
    expect(alone.get_by_role("row").filter(has_text="8 个句对").get_by_text(expected)).to_be_visible()
    expect(alone.get_by_role("cell", name=re.compile(r"^[0-9]+ . 100$")).first).to_be_visible()  # the labelled sample
    expect(alone.get_by_text(date.today().isoformat())).to_be_visible()
    assert alone.locator(".wm-bar").count() == 4 + 5  # bars of the two waterfalls
    alone.context.close()
    with files["csv"].open(encoding="utf-8-sig", newline="") as file:
        rows = {row["step"]: row for row in csv.DictReader(file)}
    assert int(rows["eight-fp32"]["gpu_predicted_allocated_bytes"]) == before.allocated
    assert rows["eight-fp16"]["labelled_rows"] == "100" and not rows["training"]["labelled_rows"]


def test_a_run_that_is_stopped_or_left_half_way_leaves_no_process(address: str, page: Page) -> None:
    page.goto(f"{address}/usage?mode=lab&preset=card")
    settle(page)
    _choose(page, "模型", "tiny，随机权重（每步数秒）")
    settle(page)
    run = page.get_by_role("button", name="开始", exact=True)
    run.click()
    _wait(page, lambda: bool(_measuring()))
    page.get_by_role("button", name="停止", exact=True).click()
    expect(page.get_by_role("button", name="重新开始")).to_be_visible()
    _wait(page, lambda: not _measuring())
    run.click()  # the turn is free again
    _wait(page, lambda: bool(_measuring()))
    page.close()
    _wait(page.context.new_page(), lambda: not _measuring())


def test_a_page_left_open_does_not_grow(page: Page) -> None:
    """DOM nodes and listeners that the browser holds, garbage collected, before and after many drawings."""
    with running_app(("-c", _LONG_OPEN)) as address:
        page.goto(f"{address}/usage")
        picture = page.locator(".wm-timeline").first
        expect(picture).to_be_visible()
        page.evaluate(
            """() => {
                window.drawn = 0; let last = "";
                const look = () => {
                    const now = document.querySelector(".wm-timeline")?.outerHTML ?? "";
                    if (now !== last) { last = now; window.drawn += 1; }
                };
                new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true});
            }"""
        )
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable")

        def held() -> dict[str, float]:
            """The least of some readings: in the moment of a drawing the old one is still there beside the new."""
            readings = []
            for _ in range(5):
                devtools.send("HeapProfiler.collectGarbage")
                metrics = devtools.send("Performance.getMetrics")["metrics"]
                readings.append({each["name"]: each["value"] for each in metrics})
                page.wait_for_timeout(70)
            return {name: min(each[name] for each in readings) for name in ("Nodes", "JSEventListeners")}

        page.wait_for_function("window.drawn >= 10")  # the sidebar has loaded, too
        before, length = held(), len(picture.evaluate("each => each.outerHTML"))
        page.wait_for_function(f"window.drawn >= {10 + _REDRAWS}", timeout=180_000)
        after = held()
        # One drawing has over a hundred, so that a leak would have thousands by now.
        assert after["Nodes"] <= before["Nodes"] + 300
        assert after["JSEventListeners"] <= before["JSEventListeners"] + 10
        assert len(picture.evaluate("each => each.outerHTML")) < 1.2 * length
        assert page.locator(".wm-timeline").first.locator("*").count() > 60
