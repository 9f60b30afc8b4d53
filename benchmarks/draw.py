"""The tables and the chart of the README, from the results that are committed.

    python -m benchmarks.draw [--results benchmarks/results] [--chart docs/images/throughput.png]

Prints Markdown for every `*throughput*.json`, and draws the contestants as bars: items a second, ours in cinnabar, one
panel a file. The picture is taken with headless Chromium (playwright, requirements-dev.txt).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from docs.screenshots import launch
from wenmo.lab.throughput import ContestantResult, ThroughputResult, table

OURS, OTHERS, PAPER, INK = "#B23A2B", "#8C8A82", "#FAF7F0", "#22211E"
WIDTH, ROW = 960, 26  # pixels
_PRECISIONS = {"int8": "INT8", "fp32": "FP32", "bf16": "BF16", "fp16": "FP16"}


def reports(folder: Path) -> list[tuple[str, ThroughputResult]]:
    """Name of the file and report, by name."""
    found = []
    for path in sorted(folder.glob("*throughput*.json")):
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
        del content["benchmark"]
        figures = tuple(ContestantResult(**figure) for figure in content.pop("figures"))
        found.append((path.stem, ThroughputResult(**content, figures=figures)))
    return found


def title(report: ThroughputResult) -> str:
    """What was run, in a line."""
    weights = "" if report.weights == "bundled" else ", random weights"
    mean = report.tokens / report.items
    return (
        f"{report.shape}{weights}, {_PRECISIONS[report.precision]}, {report.items:,} inputs of {mean:.0f} tokens, "
        f"{report.machine}"
    )


def chart(found: list[tuple[str, ThroughputResult]]) -> go.Figure:
    """One panel of horizontal bars a report, the fastest on top."""
    rows = [len(report.figures) for _, report in found]
    figure = make_subplots(
        rows=len(found),
        cols=1,
        row_heights=rows,
        subplot_titles=[title(report) for _, report in found],
        vertical_spacing=70 / (sum(rows) * ROW + 90 * len(found)),
    )
    for place, (_, report) in enumerate(found, start=1):
        slowest_first = sorted(report.figures, key=lambda each: each.items_per_s)
        figure.add_trace(
            go.Bar(
                x=[each.items_per_s for each in slowest_first],
                y=[each.name for each in slowest_first],
                orientation="h",
                marker={"color": [OURS if each.name.startswith("wenmo") else OTHERS for each in slowest_first]},
                text=[f"{each.items_per_s:,.1f}" for each in slowest_first],
                textposition="outside",
                cliponaxis=False,
            ),
            row=place,
            col=1,
        )
    figure.update_xaxes(showticklabels=False, showgrid=False, zeroline=False)
    figure.update_annotations(x=0, xanchor="left", font_size=13)
    figure.update_layout(
        width=WIDTH,
        height=sum(rows) * ROW + 90 * len(found),
        margin={"l": 8, "r": 72, "t": 48, "b": 16},
        showlegend=False,
        paper_bgcolor=PAPER,
        plot_bgcolor=PAPER,
        font={"color": INK, "size": 12},
        bargap=0.3,
    )
    figure.update_yaxes(automargin=True)
    return figure


def photograph(figure: go.Figure, target: Path) -> None:
    """The figure as a picture."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": WIDTH, "height": int(figure.layout.height)}, device_scale_factor=2)
        page.set_content(f'<body style="margin:0">{figure.to_html(full_html=False, include_plotlyjs=True)}</body>')
        page.locator(".plotly .main-svg").first.wait_for()
        page.screenshot(path=target)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--chart", type=Path, default=Path("docs/images/throughput.png"))
    options = parser.parse_args()
    found = reports(options.results)
    for name, report in found:
        print(f"\n**{title(report)}** (`{name}.json`, fp32 matrix peak {report.peak_gflops:,.0f} GF/s)\n")
        print(table(report))
    if found:
        photograph(chart(found), options.chart)


if __name__ == "__main__":
    main()
