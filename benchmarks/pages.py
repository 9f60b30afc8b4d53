"""How quick the pages are on a server that is warm, as a browser sees it.

    python -m benchmarks.pages [--runs 5]

For each page with an example, by the browser's own clock:

    painted     from opening the address to the first contentful paint
    result      from opening the address to the end of the run with the example's result; clicked as soon as it is there
    rerun       from another click on the same example to the end of that run: nothing new is computed
    shift       layout shift (https://web.dev/articles/cls) after that result was there
    errors      lines of the console that are errors, but for the two 404 with which Streamlit looks for its base path

One visit to each page warms the server and is not counted; every other one is by a new browser profile. Needs
Chromium. The last line is JSON.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from docs.screenshots import launch, running_app
from wenmo.lab.throughput import write_result
from wenmo.telemetry.machine import machine

PAGES = (("/", "换个说法"), ("/compare", "同题异问"), ("/mood", "欣喜"), ("/labels", "新闻归类"))
TIMEOUT_MS = 60_000
SHIFT_MS = 1500  # after the result, in which it may not move
RERUNS = 5

# Notes when each run of the script ends, and every layout shift, in milliseconds since the page was opened.
_WATCH = """
window.wenmoEnds = []; window.wenmoShifts = [];
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) window.wenmoShifts.push([entry.startTime, entry.value]);
}).observe({type: 'layout-shift', buffered: true});
new MutationObserver(changes => {
  for (const change of changes) {
    const state = change.target.getAttribute('data-test-script-state');
    if (state === 'notRunning' && change.oldValue !== state) window.wenmoEnds.push(performance.now());
  }
}).observe(document, {subtree: true, attributes: true, attributeOldValue: true,
                      attributeFilter: ['data-test-script-state']});
"""
_CLICK = "button => { const at = performance.now(); button.click(); return at; }"
_ENDED = "after => window.wenmoEnds.filter(end => end > after).length > 0"
_FIRST_END = "after => window.wenmoEnds.filter(end => end > after)[0]"
_PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
_SHIFT = "after => window.wenmoShifts.filter(([at]) => at > after).reduce((sum, [, value]) => sum + value, 0)"


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What one visit saw; see the module."""

    painted_ms: float
    result_ms: float
    rerun_ms: float
    shift: float
    errors: int


def _run(page: Page, example: str) -> tuple[float, float]:
    """Click; when that was, and when the run that it began had ended."""
    button = page.get_by_role("button", name=example, exact=True)
    begin = button.evaluate(_CLICK)
    page.wait_for_function(_ENDED, arg=begin, timeout=TIMEOUT_MS)
    return begin, page.evaluate(_FIRST_END, begin)


def _is_error(message: ConsoleMessage) -> bool:
    return message.type == "error" and "/_stcore/h" not in message.location["url"]


def visit(browser: Browser, address: str, example: str) -> Visit:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="zh-CN")
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if _is_error(message) else None)
    page.add_init_script(_WATCH)
    page.goto(address, wait_until="commit")
    page.get_by_role("button", name=example, exact=True).wait_for(timeout=TIMEOUT_MS)
    _, result_ms = _run(page, example)
    page.wait_for_timeout(SHIFT_MS)
    shift = page.evaluate(_SHIFT, result_ms)
    again = []
    for _ in range(RERUNS):
        begin, end = _run(page, example)
        again.append(end - begin)
        page.wait_for_timeout(200)
    seen = Visit(
        painted_ms=page.evaluate(_PAINTED),
        result_ms=result_ms,
        rerun_ms=statistics.median(again),
        shift=shift,
        errors=len(errors),
    )
    context.close()
    return seen


def middle(visits: Sequence[Visit]) -> Visit:
    """The median of each time; the most shift and errors of any visit."""
    return Visit(
        painted_ms=round(statistics.median(each.painted_ms for each in visits)),
        result_ms=round(statistics.median(each.result_ms for each in visits)),
        rerun_ms=round(statistics.median(each.rerun_ms for each in visits)),
        shift=round(max(each.shift for each in visits), 4),
        errors=max(each.errors for each in visits),
    )


def main() -> None:
    """See the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="visits to each page (5)")
    parser.add_argument("--out", type=Path, help="write the JSON there, too")
    options = parser.parse_args()
    figures: dict[str, Visit] = {}
    with running_app() as url, sync_playwright() as playwright:
        browser = launch(playwright)
        for path, example in PAGES:
            visits = [visit(browser, url + path, example) for _ in range(options.runs + 1)][1:]
            figures[path] = middle(visits)
            print(path, figures[path], file=sys.stderr, flush=True)
        browser.close()
    print("| page | painted, ms | result, ms | rerun, ms | shift after it | console errors |")
    print("| --- | --- | --- | --- | --- | --- |")
    for path, seen in figures.items():
        print(
            f"| {path} | {seen.painted_ms:,} | {seen.result_ms:,} | {seen.rerun_ms:,} | {seen.shift} | {seen.errors} |"
        )
    write_result(
        {
            "benchmark": "pages",
            "machine": machine(),
            "taken": datetime.now().astimezone().isoformat(timespec="seconds"),
            "runs": options.runs,
            "pages": {path: asdict(seen) for path, seen in figures.items()},
        },
        options.out,
    )


if __name__ == "__main__":
    main()
