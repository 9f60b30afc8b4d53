"""The story's figures, worked out by hand from result files written here; its file; its words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.both_languages import check_languages
from tests.story_figures import GIB, MACHINE, findings, race, row, rows
from wenmo.errors import InputError
from wenmo.lab.configuration import Configuration
from wenmo.lab.document import Line, Mark, cell_in
from wenmo.lab.presets import PADDED, path
from wenmo.story.draw import as_html, section
from wenmo.story.figures import StoryFigures, committed, of_lab, of_race
from wenmo.story.money import Price, hours
from wenmo.story.steps import StoryStep, story


def throughput(speeds: Mapping[str, float]) -> dict[str, Any]:
    told = {"machine": MACHINE, "device": "cpu", "precision": "fp32", "shape": "base", "weights": "random"}
    contestants = [
        {"name": name, "items_per_s": speed, "lowest": 0.8 * speed, "highest": 1.25 * speed}
        for name, speed in speeds.items()
    ]
    return {**told, "figures": contestants}


def evaluation(name: str, precision: str, accuracy: float, lost: tuple[float, float, float] | None) -> dict[str, Any]:
    against = None
    if lost is not None:
        against = {
            "precision": "fp32",
            "accuracy": accuracy + lost[0] / 100,
            "accuracy_lost": lost[0],
            "accuracy_lost_interval": lost[1:],
            "decisions_changed": 0.01,
            "largest_probability_change": 0.1,
            "seconds": 1.0,
        }
    interval = (accuracy - 0.02, accuracy + 0.02)
    return {
        "set": name,
        "task": "similarity",
        "model": "m",
        "precision": precision,
        "calibrated": True,
        "n": 1000,
        "accuracy": accuracy,
        "accuracy_interval": interval,
        "macro_f1": accuracy,
        "macro_f1_interval": interval,
        "ece": 0.0,
        "ece_interval": (0.0, 0.0),
        "seconds": 1.0,
        "against": against,
    }


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder of results with plain numbers."""

    def write(name: str, values: dict[str, Any]) -> None:
        (tmp_path / f"2026-01-02-{name}.json").write_text(json.dumps(values), encoding="utf-8")

    write("memory", {"machine": MACHINE, "preset": "article", "rows": [each.as_json() for each in rows()]})
    write("base-throughput", throughput({"wenmo fp32": 10.0, "wenmo int8": 40.0, "other": 3.0, "fixed 32": 2.0}))
    found = [
        evaluation("A", "fp32", 0.85, None),
        evaluation("B", "fp32", 0.66, None),
        evaluation("A", "int8", 0.849, (0.1, -0.1, 0.3)),
        evaluation("B", "int8", 0.664, (-0.4, -0.6, -0.2)),
    ]
    write("accuracy", {"machine": MACHINE, "evaluations": found})
    return tmp_path


def told(found: StoryFigures, price: Price | None = None) -> dict[str, StoryStep]:
    return {step.key: step for step in story(found, price or Price())}


def lines(step: StoryStep) -> tuple[Line, ...]:
    (chart,) = step.charts
    return chart.lines


def labels(step: StoryStep) -> list[str]:
    return [cell_in(mark.label, "en") for line in lines(step) for mark in line.marks]


def notes(step: StoryStep) -> list[str]:
    return [note.en for note in step.notes]


def test_figures_are_those_of_the_files(results: Path) -> None:
    found = committed(results)
    assert found.memory and found.speed and found.accuracy
    assert found.memory.steps == rows()
    assert [(way.key, way.texts_per_s, way.lowest) for way in found.speed.ways] == [
        ("fixed", 2.0, 1.6),
        ("ours", 10.0, 8.0),
        ("int8", 40.0, 32.0),
    ]
    assert [(each.name, each.before, each.after, each.lost) for each in found.accuracy.sets] == [
        ("A", 0.85, 0.849, 0.1),
        ("B", 0.66, 0.664, -0.4),
    ]
    assert found.memory.origin.day == date(2026, 1, 2)
    assert found.speed.origin.file == "2026-01-02-base-throughput.json"


def test_the_newest_file_that_can_be_read_counts(results: Path) -> None:
    (results / "2026-03-01-accuracy.json").write_text("{", encoding="utf-8")
    (results / "2026-03-01-memory.json").write_text('{"machine": "m", "preset": "check"}', encoding="utf-8")
    (results / "2026-04-01-base-throughput.json").write_text(json.dumps(throughput({"wenmo int8": 9.0})))  # no peer
    newer = throughput({"wenmo fp32": 20.0, "fixed 32": 4.0})
    (results / "2026-02-01-base-throughput.json").write_text(json.dumps(newer), encoding="utf-8")
    found = committed(results)
    assert found.memory and found.speed and found.accuracy
    assert found.speed.plain.texts_per_s == 4.0
    assert found.accuracy.origin.file == "2026-01-02-accuracy.json"
    assert found.memory.origin.file == "2026-01-02-memory.json"


def test_where_nothing_was_measured_the_step_says_so(tmp_path: Path) -> None:
    assert committed(tmp_path) == committed(tmp_path / "none") == StoryFigures()
    for step in told(StoryFigures()).values():
        assert not step.charts and not step.notes
        assert step.missing is not None or step.key == "accuracy"  # which no page measures
        assert not re.search(r"\d", step.sentence.en)


def test_before_is_the_plain_way(results: Path) -> None:
    """In three units, so as numbers and not as bars of one chart."""
    step = told(committed(results), Price(per_hour=3.6, currency="$", card_gib=16))["before"]
    shown = [cell_in(value, "en") for _, value in step.figures]
    assert shown == ["4.00 GiB", "138.9 h", "$500.00"]  # 1e6 / 2 / 3600 h, times 3.6
    assert not step.charts and "25% of a GPU with 16 GB" in step.sentence.en


def test_what_was_changed_is_told_by_its_share(results: Path) -> None:
    """A chart for memory, one for time, one for activations: none mixes them."""
    step = told(committed(results))["changed"]
    shares = [
        {cell_in(line.name, "en"): (cell_in(mark.label, "en"), mark.bar, mark.strong, mark.predicted)}
        for chart in step.charts
        for line in chart.lines
        for mark in line.marks
    ]
    assert [len(chart.lines) for chart in step.charts] == [3, 2, 2]
    assert shares == [
        {"fp16": ("−50%  predicted", (0, 0.5), True, True)},
        {"real lengths, packed": ("−50%  predicted", (0, 0.5), False, True)},
        {"INT8 instead of FP16 (CPU)": ("−50%  measured", (0, 0.5), False, False)},
        {"packing and batching": ("−80%  ×5.0", (0, 0.8), True, False)},
        {"INT8": ("−75%  ×4.0", (0, 0.75), False, False)},
        {"inference": ("0%  measured", (0, 0), False, False)},
        {"training (time +50%)": ("−75%  measured", (0, 0.75), True, False)},
    ]


def test_what_was_only_predicted_is_called_so() -> None:
    predicted = tuple(replace(each, measured=None, failed="no room") for each in rows())
    step = told(StoryFigures(memory=of_lab(findings(predicted))))["changed"]
    assert any("checkpointing (base · fp32" in note and "not measured" in note for note in notes(step))
    assert all(mark.predicted for chart in step.charts for line in chart.lines for mark in line.marks)
    measured = told(StoryFigures(memory=of_lab(findings(rows()))))["changed"]
    kinds = {cell_in(line.name, "en"): line.marks[0].predicted for chart in measured.charts for line in chart.lines}
    assert kinds == {
        "fp16": True,
        "real lengths, packed": True,
        "INT8 instead of FP16 (CPU)": False,
        "inference": False,
        "training (time +50%)": False,
    }


def test_memory_falls_from_step_to_step(results: Path) -> None:
    step = told(committed(results))["memory"]
    assert labels(step) == ["4.00 GiB", "−2.00 GiB", "−1.00 GiB", "0", "1.00 GiB"]
    assert [line.marks[0].bar for line in lines(step)][1:3] == [(2 * GIB, 4 * GIB), (GIB, 2 * GIB)]
    assert step.sentence.en == (
        "By prediction eight pairs go from 4.00 GiB of GPU memory to 1.00 GiB: 75% saved; with the CUDA context, of a "
        "GPU with 8 GB: 50% → 12%."
    )
    assert any("predicted" in note and "random weights" in note for note in notes(step))
    assert any("2026-01-02" in note and MACHINE in note for note in notes(step))
    assert any("fp32 padded 4.00 GiB → fp16 packed 1.00 GiB; int8 packed 0.50 GiB, 88%" in note for note in notes(step))


def test_time_is_hours_for_a_million_with_the_spread_of_the_rounds(results: Path) -> None:
    step = told(committed(results))["time"]
    assert labels(step) == ["138.9 h", "27.8 h  ×5.0", "6.9 h  ×20.0"]
    plain = lines(step)[0].marks[0]
    assert plain.bar == (0, pytest.approx(1e6 / 2 / 3600))
    assert plain.range == (pytest.approx(1e6 / 2.5 / 3600), pytest.approx(1e6 / 1.6 / 3600))
    assert step.charts[0].scale == (0.0, plain.range[1])


def test_money_by_hand(results: Path) -> None:
    """7,200 texts at 2 a second are an hour: 3.00; at 40 a second 3 minutes: 0.15. 2.85 saved, 365 times."""
    assert hours(7200, 2.0) == 1.0
    price = Price(per_hour=3.0, texts_per_day=7200)
    assert price.of(7200, 2.0) == 3.0
    step = told(committed(results), price)["money"]
    assert labels(step) == ["¥3.00 a day", "¥0.60 a day", "¥0.15 a day"]
    assert step.sentence.en == "7,200 texts a day at ¥3.00 an hour: from ¥3.00 to ¥0.15 a day, ¥1,040 saved a year."
    assert any("7,200 ÷ 40.000 ÷ 3600 × ¥3.00 = ¥0.15" in note for note in notes(step))


def test_the_visitors_gpu_and_price_are_the_premise_of_every_step(results: Path) -> None:
    price = Price(per_hour=2.0, texts_per_day=500, card_gib=24)
    for step in story(committed(results), price):
        assert step.premise is not None
        assert step.premise.en == "GPU with 24 GB · ¥2.00 an hour · 500 texts a day"
        assert step.premise.en in section(step, number=1, language="en")


def test_a_path_of_ones_own_is_told_as_the_articles_is() -> None:
    """Steps of the lab's "my card"."""
    before = Configuration(model="tiny", layout="padded", pad_to=PADDED)
    after = Configuration(model="tiny", precision="fp16")
    sizes = {"1": 4 * GIB, "2": 2 * GIB, "3": GIB}
    steps = tuple(row(step, sizes[step.key]) for step in path(before, after).steps)
    steps_of = told(StoryFigures(memory=of_lab(findings(steps))))
    assert labels(steps_of["memory"]) == ["4.00 GiB", "−2.00 GiB", "−1.00 GiB", "1.00 GiB"]
    assert "the texts of your batch go from 4.00 GiB" in steps_of["memory"].sentence.en
    assert labels(steps_of["changed"]) == ["−50%  predicted", "−50%  predicted"]
    for step in steps_of.values():
        check_languages(step)
    on_cpu = tuple(row(step, GIB) for step in path(before, replace(after, precision="int8")).steps)
    assert told(StoryFigures(memory=of_lab(findings(on_cpu))))["memory"].missing == "memory"  # no GPU runs int8


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_hour": 0.001},
        {"per_hour": float("nan")},
        {"per_hour": 1e9},
        {"texts_per_day": 0},
        {"currency": "<"},
        {"card_gib": 7},
    ],
)
def test_no_price_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Price(**wrong)


def test_accuracy_with_its_intervals(results: Path) -> None:
    step = told(committed(results))["accuracy"]
    assert labels(step) == ["fp32 85.00%", "int8 84.90%", "fp32 66.00%", "int8 66.40%"]
    assert lines(step)[0].marks[0] == Mark(label="fp32 85.00%", range=(0.85 - 0.02, 0.85 + 0.02), dot=0.85)
    assert step.charts[0].scale == (0.0, 1.0)
    assert [place for place, _ in step.charts[0].ticks] == [0, 0.25, 0.5, 0.75, 1]
    assert "0.40 points" in step.sentence.en and "none loses significantly" in step.sentence.en


def test_a_loss_that_is_sure_is_told(results: Path) -> None:
    found = committed(results)
    assert found.accuracy is not None
    sure = replace(found.accuracy.sets[0], lost=2.0, lost_interval=(1.0, 3.0))
    accuracy = replace(found.accuracy, sets=(sure, found.accuracy.sets[1]))
    assert "2.00 points at most, 1 lose" in told(replace(found, accuracy=accuracy))["accuracy"].sentence.en


def test_a_race_of_this_session_stands_in_for_the_file() -> None:
    steps_of = told(StoryFigures(speed=of_race(race())))
    assert labels(steps_of["time"]) == ["55.6 h", "27.8 h  ×2.0", "13.9 h  ×4.0", "27.8 h  ×2.0"]
    assert labels(steps_of["changed"])[-1] == "+100%  ×0.5"  # what is slower is not hidden
    assert any("cuda" in note for note in notes(steps_of["time"]))
    assert any("this visit" in note for note in notes(steps_of["time"]))
    assert steps_of["memory"].missing == "memory"


def test_the_file_holds_all_steps_and_no_script_and_shows_texts_as_texts(results: Path) -> None:
    found = story(committed(results), Price(per_hour=3.0))
    html = as_html(found, language="en")
    for step in found:
        assert html.count(f'id="{step.key}"') == 1
    assert "<script" not in html and "http:" not in html and "https:" not in html and "<img" not in html
    assert "<b>machine" not in html and "a &lt;b&gt;machine&lt;/b&gt;" in html
    assert "¥416.67" in html  # 1e6 / 2 / 3600 * 3


def test_places_on_a_chart_are_shares_of_its_scale(results: Path) -> None:
    html = section(told(committed(results))["accuracy"], number=6, language="en")
    at, long = re.search(r'wm-range" style="--at:([\d.]+);--long:([\d.]+)"', html).groups()  # type: ignore[union-attr]
    assert float(at) == pytest.approx(0.83, abs=1e-4)
    assert float(long) == pytest.approx(0.04, abs=1e-4)


def test_the_results_that_come_with_the_project_can_be_read() -> None:
    found = committed()
    assert found.memory and found.speed and found.accuracy
    for step in story(found, Price()):
        assert step.missing is None
        check_languages(step)


def test_a_race_and_nothing_at_all_are_told_in_both_languages() -> None:
    for figures in (StoryFigures(speed=of_race(race())), StoryFigures()):
        for step in story(figures, Price()):
            check_languages(step)
