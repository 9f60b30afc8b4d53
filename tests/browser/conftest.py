"""A real server on golden weights for each module, and headless Chromium.

Tests are skipped where there is no Chromium, unless WENMO_REQUIRE_BROWSER=1 says that there must be one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from docs.screenshots import chromium, launch, running_app
from tests.waiting import until

# Whether the script has run to its end, nothing fades any more, and nothing has changed for so many milliseconds.
_STILL = """quiet => {
    if (!window.changedAt) {
        const changed = () => { window.changedAt = performance.now(); };
        const everything = {subtree: true, childList: true, attributes: true, characterData: true};
        new MutationObserver(changed).observe(document, everything);
        changed();
    }
    const fading = each => each.playState === "running" && each.effect?.getComputedTiming().iterations !== Infinity;
    return performance.now() - window.changedAt >= quiet
        && document.querySelector('[data-testid="stApp"][data-test-script-state="notRunning"]') !== null
        && document.querySelector('[data-stale="true"]') === null
        && !document.getAnimations().some(fading);
}"""


def settle(page: Page) -> None:
    """Wait until the page stands still."""
    until(
        lambda: page.evaluate(_STILL, 400),
        every_s=0.1,
        pause=lambda seconds: page.wait_for_timeout(1000 * seconds),
        told=lambda: f"{page.url} does not stand still",
    )


@pytest.fixture(scope="module")
def address(golden_models: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    patch = pytest.MonkeyPatch()
    patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("jobs")))  # without the jobs that other processes left
    for task, folder in golden_models.items():
        patch.setenv(f"WENMO_{task.upper()}_MODEL", folder)
    patch.setenv("WENMO_DEVICE", "cpu")
    patch.setenv("WENMO_PRECISION", "fp32")
    try:
        with running_app() as url:
            yield url
    finally:
        patch.undo()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if chromium() is None and os.environ.get("WENMO_REQUIRE_BROWSER") != "1":
        pytest.skip("no Chromium here: install it, or name it in WENMO_CHROMIUM")
    with sync_playwright() as playwright:
        launched = launch(playwright)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="zh-CN")
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    yield opened
    context.close()
