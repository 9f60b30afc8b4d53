"""Take the screenshots of the documents: `python -m docs.screenshots [FOLDER] [--all] [--only NAME …]`.

Starts the app on a free port, does on each page what a visitor would, and photographs it with headless Chromium: each
scene once, as WebP into docs/images/; or with --all wide and narrow, light and dark, and in English, as PNG, to look at
after a change. Needs playwright (requirements-dev.txt) and a Chromium, found on the path or named by WENMO_CHROMIUM.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

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
WIDTHS = {"desktop": 1440, "phone": 390}
LONGEST_S = 900  # a scene's work: the lab measures for minutes on a busy machine
Look = tuple[str, str, str]  # shape, colour scheme, language
ALL: tuple[Look, ...] = (
    ("desktop", "light", "zh"),
    ("desktop", "dark", "zh"),
    ("phone", "light", "zh"),
    ("phone", "dark", "zh"),
    ("desktop", "light", "en"),
)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A picture called `name`: of `address`, after the buttons `clicks` were pressed one after another, and `act`."""

    name: str
    address: str
    clicks: tuple[str, ...] = ()
    act: Callable[[Page], None] | None = None
    shapes: tuple[str, ...] = ("desktop", "phone")

    def looks(self, *, all_: bool) -> list[Look]:
        """The looks in which it is photographed: the first of its shapes in light and Chinese, or all."""
        return [look for look in ALL if look[0] in self.shapes][: None if all_ else 1]


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


# Whether no script runs, and nothing is pale, spins or is yet to be drawn.
_DONE = """() => document.querySelector('[data-testid="stApp"][data-test-script-state="notRunning"]') !== null
    && document.querySelector('[data-stale="true"], [data-testid="stSkeleton"], [data-testid="stSpinner"]') === null"""


def settle(page: Page) -> None:
    """Wait until the page has been done for a while: what a click begins may begin late on a busy machine."""
    end, done = time.monotonic() + LONGEST_S, 0
    while done < 8:
        if time.monotonic() > end:
            raise RuntimeError(f"{page.url} is not done after {LONGEST_S} s.")
        page.wait_for_timeout(250)
        done = done + 1 if page.evaluate(_DONE) else 0


def press(page: Page, name: str) -> None:
    """Press the button `name`, and wait until what it started has ended."""
    button = page.get_by_role("button", name=name, exact=True)
    button.wait_for()
    settle(page)
    button.click()
    settle(page)


def upload(page: Page, place: int, name: str, content: bytes) -> None:
    """Give a file to the field at `place`."""
    field = page.locator("input[type=file]").nth(place)
    field.set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})
    settle(page)


def choose(page: Page, label: str, option: str) -> None:
    """Choose an entry of a list."""
    page.get_by_role("combobox", name=label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()
    settle(page)


def _faq(page: Page) -> None:
    """Two hundred questions against thirty answers, from two files."""
    answers = [topic.format(thing) for topic in _TOPICS for thing in _THINGS]
    questions = [wording.format(answer) for answer in answers for wording in _WORDINGS][:190] + ["今天天气怎么样"] * 10
    for place, (name, texts) in enumerate((("questions.csv", questions), ("faq.csv", answers))):
        upload(page, place, name, "\n".join(["问题", *texts]).encode())
    press(page, f"匹配 {len(questions)} 条与 {len(answers)} 条")
    page.get_by_text("手工改过").wait_for()


def reviews(page: Page) -> None:
    """An export of reviews, to the shares by month."""
    upload(page, 0, "reviews.csv", (ROOT / "assets" / "samples" / "reviews.csv").read_bytes())
    press(page, "开始处理 100 行")
    page.get_by_text("下载结果").wait_for()
    settle(page)
    choose(page, "按哪一列看，如商品、日期", "日期")


def _card(page: Page) -> None:
    """A training step on a card of 8 GB, predicted; then the story in one file, at the memory that was saved."""
    choose(page, "模型", "tiny，随机权重（每步数秒）")
    choose(page, "工作", "一个训练步")
    page.get_by_text("也在本机实测").click()
    press(page, "开始")
    page.get_by_role("link", name="用这些数字做汇报").click()
    settle(page)
    with page.expect_download() as started:
        page.get_by_role("button", name="导出 HTML", exact=True).click()
    page.set_content(started.value.path().read_text(encoding="utf-8"))
    page.evaluate("document.querySelector('#memory').scrollIntoView()")
    page.wait_for_timeout(700)


def long_list(page: Page) -> None:
    """Fifty-four labels more than an example has."""
    press(page, "新闻归类")
    labels = page.get_by_role("combobox", name="标签", exact=True)
    labels.fill("，".join(f"{topic}{thing}" for topic in _NEWS for thing in _KINDS))
    labels.press("Tab")
    settle(page)
    press(page, "分类")


def _adapted(page: Page) -> None:
    press(page, "开始训练")
    page.get_by_text("已存为").wait_for()
    settle(page)


_TOPICS = ("{}怎么申请", "{}多久能办好", "{}需要付费吗", "{}办错了怎么改", "去哪里查{}的进度")
_THINGS = ("退货", "换货", "发票", "会员卡", "上门安装", "延长保修")
_WORDINGS = ("{}", "请问{}", "你好，{}", "想问一下{}", "{}？谢谢", "麻烦问下，{}", "{}呢")
_KINDS = ("新闻", "评论", "公告", "访谈", "数据", "图片")
_NEWS = ("体育", "财经", "科技", "娱乐", "旅游", "教育", "健康", "汽车", "美食")

SCENES: tuple[Scene, ...] = (
    Scene(name="home", address="/", clicks=("换个说法",)),
    Scene(name="similarity-pair", address="/compare", clicks=("同题异问",)),
    Scene(name="similarity-ranking", address="/compare?mode=ranking", clicks=("找回密码",)),
    Scene(name="similarity-matrix", address="/compare?mode=matrix", clicks=("客服三问",)),
    Scene(name="match", address="/lookup", clicks=("客服问答",)),
    Scene(name="match-groups", address="/lookup?lists=one", clicks=("投诉",)),
    Scene(name="sentiment", address="/mood", clicks=("欣喜",)),
    Scene(name="sentiment-many", address="/mood", clicks=("一组评论",)),
    Scene(name="sentiment-compare", address="/mood?view=compare", clicks=("两支钢笔",)),
    Scene(name="zero-shot", address="/labels", clicks=("新闻归类",)),
    Scene(name="zero-shot-many", address="/labels", clicks=("一组新闻",)),
    Scene(name="zero-shot-labels", address="/labels", act=long_list),
    Scene(name="classify", address="/sort"),
    Scene(name="batch", address="/files", clicks=("一百条示例评论", "开始处理 100 行")),
    Scene(name="memory-live", address="/usage"),
    Scene(name="memory", address="/usage?mode=lab&preset=card", clicks=("开始",)),
    Scene(name="throughput", address="/race", clicks=("开跑",)),
    Scene(name="story", address="/savings?step=4"),
    Scene(name="models", address="/library"),
    Scene(name="models-pull", address="/library?view=pull"),
    Scene(name="models-one", address="/library?view=compare", clicks=("一条",)),
    Scene(name="models-compare", address="/library?view=compare", clicks=("十二条",)),
    Scene(name="models-everyday", address="/library?view=everyday", clicks=("作答",)),
    Scene(name="service", address="/status"),  # after the others, which made calls
    # The ends of four visitors' ways through the app; tests/browser/test_paths.py walks them from the home page.
    Scene(name="path-faq", address="/lookup?source=files", act=_faq),
    Scene(name="path-reviews", address="/files", act=reviews),
    Scene(name="path-card", address="/usage?mode=lab&preset=card", act=_card, shapes=("desktop",)),
    Scene(name="path-phone", address="/mood", clicks=("欣喜",), shapes=("phone",)),
    Scene(name="adapt", address="/finetune", clicks=("螺蛳粉评论",), act=_adapted),  # last: it leaves a model
)


def _open(browser: Browser, shape: str, scheme: str) -> Page:
    context = browser.new_context(
        viewport={"width": WIDTHS[shape], "height": 900 if shape == "desktop" else 844},
        color_scheme="dark" if scheme == "dark" else "light",
        locale="zh-CN",
        reduced_motion="reduce",
    )
    context.add_init_script("localStorage.setItem('wenmo.tour', 'seen')")
    page = context.new_page()
    page.set_default_timeout(1000 * LONGEST_S)
    return page


def show(page: Page, url: str, scene: Scene) -> None:
    """Do what the scene is of."""
    page.goto(f"{url}{scene.address}")
    for name in scene.clicks:
        press(page, name)
    settle(page)
    if scene.act is not None:
        scene.act(page)
    expect(page.get_by_role("button", name="停止", exact=True)).to_have_count(0, timeout=1000 * LONGEST_S)


def speak_english(page: Page, url: str, scene: Scene) -> None:
    """Change the page's language: by the address, or by the switch where there is something to keep."""
    if scene.clicks or scene.act is not None:
        page.get_by_role("radio", name="English", exact=True).click()
    else:
        page.goto(f"{url}{scene.address}{'&' if '?' in scene.address else '?'}lang=en")
    settle(page)


def grow(page: Page) -> None:
    """Make the window as tall as what it holds, again and again, because what comes into view may grow."""
    size = page.viewport_size
    assert size is not None
    for _ in range(3):
        tall = page.evaluate("document.querySelector('[data-testid=stMain]')?.scrollHeight ?? 0")
        page.set_viewport_size({"width": size["width"], "height": max(size["height"], min(int(tall), 4000))})
        page.wait_for_timeout(1200)


def photograph(page: Page, path: Path) -> None:
    """The page as it stands, as PNG or WebP."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)
    if path.suffix == ".png":
        page.screenshot(path=path)
        return
    session = page.context.new_cdp_session(page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": 95})
    path.write_bytes(b64decode(taken["data"]))


def main() -> None:
    """See the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--all", action="store_true", help="wide and narrow, light and dark, and in English")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these scenes alone")
    options = parser.parse_args()
    folder: Path = options.folder
    if chromium() is None:
        sys.exit("No Chromium found. Install it, or name it in WENMO_CHROMIUM.")
    folder.mkdir(parents=True, exist_ok=True)
    scenes = [scene for scene in SCENES if not options.only or scene.name in options.only]
    with tempfile.TemporaryDirectory() as models:
        os.environ["WENMO_MODELS_FOLDER"] = models  # for the model that a scene trains
        with running_app() as url, sync_playwright() as playwright:
            browser = launch(playwright)
            _all(browser, url, folder, scenes, all_=options.all)
            browser.close()


def _all(browser: Browser, url: str, folder: Path, scenes: Sequence[Scene], *, all_: bool) -> None:
    for scene in scenes:
        looks = scene.looks(all_=all_)
        for shape, scheme in dict.fromkeys(look[:2] for look in looks):
            page = _open(browser, shape, scheme)
            show(page, url, scene)
            for look in (look for look in looks if look[:2] == (shape, scheme)):
                if look[2] == "en" and page.url.startswith("http"):
                    speak_english(page, url, scene)
                grow(page)
                photograph(page, folder / (f"{scene.name}-{'-'.join(look)}.png" if all_ else f"{scene.name}.webp"))
            page.context.close()


if __name__ == "__main__":
    main()
