"""Take the screenshots of docs/usage.md: `python docs/screenshots.py [FOLDER] [--all]`, by default into docs/images/.

Starts the app on a free port, clicks an example on each page, and photographs it with headless Chromium: wide and light
for the document, or with --all wide and narrow, light and dark, to look at after a change. Needs playwright
(requirements-dev.txt) and a Chromium, found on the path or named by WENMO_CHROMIUM.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Name of the picture, address, button to click, if any; several, one after another, with " > " between.
Scene = tuple[str, str, str | None]
SCENES: tuple[Scene, ...] = (
    ("home", "/", "换个说法"),
    ("similarity-pair", "/compare", "同题异问"),
    ("similarity-ranking", "/compare?mode=ranking", "找回密码"),
    ("similarity-matrix", "/compare?mode=matrix", "客服三问"),
    ("match", "/lookup", "客服问答"),
    ("match-groups", "/lookup?lists=one", "投诉"),
    ("sentiment", "/mood", "欣喜"),
    ("sentiment-many", "/mood", "一组评论"),
    ("zero-shot", "/labels", "新闻归类"),
    ("zero-shot-many", "/labels", "一组新闻"),
    ("memory", "/usage?mode=lab&preset=card", "开始"),
    ("throughput", "/race", "开跑"),
    ("story", "/savings?step=4", None),
    ("models", "/library", None),
    ("models-pull", "/library?view=pull", None),
    ("models-one", "/library?view=compare", "一条"),
    ("models-compare", "/library?view=compare", "十二条"),
    ("service", "/status", None),  # after the others, which made calls
    ("batch", "/files", "一百条示例评论 > 开始处理 100 行"),
)
WIDTHS = {"desktop": 1440, "phone": 390}
DOCUMENT = (("desktop", "light"),)
ALL = (("desktop", "light"), ("desktop", "dark"), ("phone", "light"), ("phone", "dark"))


def chromium() -> str | None:
    """The browser's path, or None where there is none."""
    return os.environ.get("WENMO_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def launch(playwright: Playwright) -> Browser:
    """Headless Chromium that talks to nobody but the page."""
    return playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)


@contextmanager
def running_app(command: Sequence[str] = ("-m", "wenmo", "serve"), *, timeout_s: float = 60.0) -> Iterator[str]:
    """The app in a process of its own, Python with `command`; gives its address, and ends it afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = os.environ | {"WENMO_HOST": "127.0.0.1", "WENMO_PORT": str(port)}
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment)
    try:
        end = time.monotonic() + timeout_s
        while not _answers(f"{url}/_stcore/health"):
            if process.poll() is not None:
                raise RuntimeError(f"The app ended with {process.returncode} before it answered.")
            if time.monotonic() > end:
                raise RuntimeError(f"The app did not answer within {timeout_s:.0f} s.")
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def settle(page: Page) -> None:
    """Wait until the script has run to its end."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=60_000)
    page.wait_for_timeout(700)  # charts draw, spinners fade


def photograph(
    browser: Browser, url: str, folder: Path, looks: Sequence[tuple[str, str]], scenes: Sequence[Scene]
) -> None:
    """The scenes in each of `looks`, pairs of shape and colour scheme."""
    for shape, scheme in looks:
        width = WIDTHS[shape]
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            locale="zh-CN",
            reduced_motion="reduce",
        )
        context.add_init_script("localStorage.setItem('wenmo.tour', 'seen')")
        page = context.new_page()
        for name, address, example in scenes:
            page.goto(f"{url}{address}")
            for label in example.split(" > ") if example else ():
                button = page.get_by_role("button", name=label, exact=True)
                button.wait_for(timeout=60_000)
                settle(page)
                button.click()
                settle(page)
            page.get_by_role("button", name="停止", exact=True).wait_for(state="hidden", timeout=60_000)
            settle(page)
            # The page scrolls inside a frame of its own: make the window as tall as what it holds, twice, because
            # what comes into view may grow.
            for _ in range(2):
                tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
                page.set_viewport_size({"width": width, "height": max(900, min(int(tall), 4000))})
                settle(page)
            page.mouse.move(0, 0)
            page.screenshot(path=folder / f"{name}-{shape}-{scheme}.png")
            page.set_viewport_size({"width": width, "height": 900})
        context.close()


def main() -> None:
    """See the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--all", action="store_true", help="wide and narrow, light and dark")
    options = parser.parse_args()
    folder: Path = options.folder
    if chromium() is None:
        sys.exit("No Chromium found. Install it, or name it in WENMO_CHROMIUM.")
    folder.mkdir(parents=True, exist_ok=True)
    with running_app() as url, sync_playwright() as playwright:
        browser = launch(playwright)
        shown = (ROOT / "docs" / "usage.md").read_text(encoding="utf-8")
        scenes = [scene for scene in SCENES if options.all or f"images/{scene[0]}-desktop-light" in shown]
        photograph(browser, url, folder, ALL if options.all else DOCUMENT, scenes)
        browser.close()


if __name__ == "__main__":
    main()
