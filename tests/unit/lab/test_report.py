from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from datetime import date
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.both_languages import check_languages
from wenmo.__main__ import main
from wenmo.errors import InputError, Language
from wenmo.lab.allocations import Breakdown
from wenmo.lab.configuration import Configuration
from wenmo.lab.document import LANGUAGES, size
from wenmo.lab.findings import Findings, checkpointing, predicted_gpu_memory, summary, waterfall
from wenmo.lab.fits import Fit
from wenmo.lab.measure import Measurement
from wenmo.lab.predict import predict
from wenmo.lab.presets import StepResult, article, check, custom, path, preset_of, run_preset
from wenmo.lab.report import as_csv, as_html
from wenmo.lab.sections import TITLES, appendix, sections


@pytest.fixture(scope="module")
def rows() -> list[StepResult]:
    return list(run_preset(article("tiny", training_model="tiny"), measured=False))


class _Tags(HTMLParser):
    """Every tag, and what an opening one points to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def findings(rows: Sequence[StepResult], **more: Any) -> Findings:
    return Findings(steps=tuple(rows), **{"machine": "m", "day": date(2026, 1, 2), **more})


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_needs_nothing_else_and_runs_nothing(rows: list[StepResult], language: Language) -> None:
    hostile = '<script>alert("x")</script>'
    step = dataclasses.replace(rows[0].step, title=hostile, title_zh=hostile)
    told = [dataclasses.replace(rows[0], step=step), *rows[1:]]
    fits = (Fit(configuration=step.configuration, card_gib=6, length=128, batch=1234),)
    html = as_html(findings(told, fits=fits, machine=hostile), language=language)
    found = _Tags()
    found.feed(html)
    assert not found.tags & {"script", "link", "img", "iframe"} and not found.links
    assert "&lt;script&gt;" in html and "1,234" in html and "2026-01-02" in html
    assert len(html) < 300_000
    for key, title in TITLES.items():
        assert (escape(title.in_(language)) in html) == (key not in ("accuracy", "checks", "peaks"))
    assert {"zh": "权重是随机的", "en": "The weights are random"}[language] in html


def test_both_languages_tell_the_same_numbers(rows: list[StepResult]) -> None:
    sides = [next(row for row in rows if row.step.key == f"eight-{name}") for name in ("fp32", "packed")]
    fits = [
        Fit(configuration=side.step.configuration, card_gib=6, length=length, batch=batch)
        for side, batch in zip(sides, (123, 4567), strict=True)
        for length in (32, max(side.step.configuration.lengths))
    ]
    found = findings(rows, checks=tuple(rows), fits=tuple(fits), card_gib=6)
    told = [*sections(found), *appendix(found)]
    for section in told:
        check_languages(section)
    first = told[0]
    assert [sentence.en for sentence in first.sentences] == [
        "Baseline: a card with 6 GB holds it, with the CUDA context; at most 123 texts of 320 tokens, padded to 512 go "
        "into a batch.",
        "Optimised: a card with 6 GB holds it, with the CUDA context; at most 4,567 texts of 320 tokens go into a "
        "batch.",
    ]
    before, after = (side.gpu_allocated_bytes or 0 for side in sides)
    assert first.headline is not None
    assert first.headline.en == (
        f"On a card with 6 GB: GPU memory {size(before)} → {size(after, of=before)}, {1 - after / before:.0%} saved, "
        "largest batch 123 → 4,567 (predicted)."
    )


def test_the_check_covers_more_than_forty_configurations() -> None:
    configurations = [step.configuration for step in check().steps]
    assert len(set(configurations)) == len(configurations) > 40
    assert {each.model for each in configurations} == {"tiny", "base"}
    assert {each.model for each in (step.configuration for step in preset_of("check", model="bundled").steps)} == {
        "bundled"
    }


def test_the_articles_comparison(rows: list[StepResult]) -> None:
    one, eight = predicted_gpu_memory(rows, "one"), predicted_gpu_memory(rows, "eight")
    assert one is not None and eight is not None
    assert one.saved > 0.4 and eight.saved > 0.5  # the standing cuBLAS workspace weighs on so small a model
    assert eight.fp16_padded_bytes < 0.6 * eight.fp32_padded_bytes
    assert 1 - eight.saved == pytest.approx((1 - eight.saved_by_fp16) * (1 - eight.saved_by_packing))
    assert predicted_gpu_memory(rows[:2], "one") is None


def test_a_speed_is_not_told_as_the_f1(rows: list[StepResult]) -> None:
    """Without labelled rows there is no accuracy; the row above has figures of the same look."""

    def measured(row: StepResult) -> StepResult:
        configuration = row.step.configuration
        told = Measurement(
            configuration=configuration,
            device="cpu",
            device_name="m",
            threads=1,
            native=True,
            peak=Breakdown(weights=1),
            most_activations=1,
            seconds=(0.25,),
            resident=None,
            libraries=0,
            reserved=None,
            process_gpu=None,
        )
        return dataclasses.replace(row, measured=told)

    here = [measured(row) for row in rows]
    model = rows[0].step.configuration.model
    for given in (findings(here), findings(rows, checks=tuple(here))):
        html = as_html(given, language="en")
        cells = html[html.index("<td>F1") :].split("</tr>")[0]
        assert "not measured" in cells and "×" not in cells
        assert html.index(f"(×1.0, {model})") < html.index("<td>F1")


def test_checkpointing_is_told_as_it_is(rows: list[StepResult]) -> None:
    found = checkpointing(rows)
    assert found is not None
    assert found.inference_saved == 0 and found.training_saved > 0.5 and found.training_time_added is None
    told = summary(rows)
    assert told["checkpointing_saves_in_inference"] == 0 and told["largest_prediction_error"] is None
    assert told["largest_packed_peak_over_floor"] < 0.1
    assert summary(rows[:1])["gpu_saved"] == {"one": None, "eight": None}


def test_csv_holds_every_row_and_no_formula(rows: list[StepResult]) -> None:
    failed = dataclasses.replace(rows[0], failed="=1+1", failed_zh="=1+1")
    lines = list(csv.DictReader(io.StringIO(as_csv(findings([failed, *rows[1:]])))))
    assert len(lines) == len(rows)
    assert lines[0]["failed"] == "'=1+1" and lines[0]["cpu_measured_bytes"] == ""
    assert rows[0].gpu is not None and int(lines[0]["gpu_predicted_tensor_bytes"]) == rows[0].gpu.peak.total
    int8 = next(line for line in lines if "int8" in line["configuration"])
    assert int8["gpu_predicted_tensor_bytes"] == ""


def test_a_measured_row_shows_its_figures() -> None:
    configuration = Configuration(model="bundled", lengths=(16, 16))
    predicted = predict(configuration, device="cpu")
    measured = Measurement(
        configuration=configuration,
        device="cpu",
        device_name="a processor",
        threads=2,
        native=True,
        peak=predicted.peak,
        most_activations=predicted.most_activations,
        seconds=(0.5, 0.25, 0.75),
        resident=predicted.peak.total + 2**20,
        libraries=1,
        reserved=None,
        process_gpu=None,
    )
    (step,) = custom([configuration]).steps
    row = StepResult(step=step, gpu=None, cpu=predicted, measured=measured, failed=None, failed_zh=None)
    assert (measured.median_ms, measured.sequences_per_s, measured.overhead) == (500, 4, 2**20)
    assert row.prediction_error == 0
    assert predicted.floor_bytes is not None
    heavier = dataclasses.replace(measured, peak=dataclasses.replace(predicted.peak, workspace=predicted.floor_bytes))
    assert dataclasses.replace(row, measured=heavier).over_floor == pytest.approx(row.over_floor + 1)  # as measured
    assert summary([row])["configurations_measured"] == 1 and summary([row])["median_prediction_error"] == 0
    html = as_html(findings([row]), language="en")
    assert "<td>+0.00%</td>" in html and "<td>500</td>" in html and configuration.name in html


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--predict-only", "--report", str(tmp_path / "r.html"), "--csv", str(tmp_path / "r.csv")]
    given = '[{"model": "tiny"}, {"model": "tiny", "precision": "fp16"}]'
    assert main(["bench", "memory", "--configurations", given, *options, "--out", str(tmp_path / "r.json")]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told == json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert [row["step"]["configuration"]["precision"] for row in told["rows"]] == ["fp32", "fp16"]
    assert told["benchmark"] == "memory" and told["rows"][0]["measured"] is None
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert len((tmp_path / "r.csv").read_text(encoding="utf-8").splitlines()) == 3
    assert main(["bench", "memory", "--preset", "dinner"]) == 2
    assert "dinner" in capsys.readouterr().err


def test_a_path_changes_one_thing_at_a_time_and_what_cannot_be_alone_together() -> None:
    padded = Configuration(model="tiny", lengths=(32, 32), layout="padded", pad_to=64)
    packed = Configuration(model="tiny", lengths=(32,), precision="fp16")
    steps = path(padded, packed).steps
    assert [step.title for step in steps] == ["baseline", "fp16", "packed", "1 x 32"]
    assert [step.after for step in steps] == [None, "1", "2", "3"] and steps[-1].configuration == packed
    int8 = dataclasses.replace(packed, precision="int8")  # which no padded forward computes
    assert [step.title for step in path(padded, int8).steps] == ["baseline", "int8, packed", "1 x 32"]
    assert len(path(packed, packed).steps) == 1
    with pytest.raises(InputError, match="same work"):
        path(padded, dataclasses.replace(padded, work="training_step"))


def test_the_waterfall_ends_where_its_last_step_is_and_tells_what_was_added(rows: list[StepResult]) -> None:
    small, large = Configuration(model="tiny", lengths=(32,)), Configuration(model="tiny", lengths=(512,) * 8)
    more = list(run_preset(path(small, large), measured=False))
    found = waterfall(more, "path")
    assert found is not None and found.of_gpu
    first, step, last = found.bars
    assert step.saved_bytes == first.high_bytes - last.high_bytes < 0
    assert (step.low_bytes, step.high_bytes) == (first.high_bytes, last.high_bytes)
    with_int8 = list(run_preset(path(small, dataclasses.replace(small, precision="int8")), measured=False))
    on_cpu = waterfall(with_int8, "path")
    assert on_cpu is not None and not on_cpu.of_gpu
    assert on_cpu.bars[-1].high_bytes == with_int8[-1].cpu.peak.total
    eight = waterfall(rows, "eight")
    assert eight is not None and eight.bars[-2].saved_bytes == 0  # checkpointing in inference


def test_a_smaller_models_measurements_stand_apart_in_the_report(rows: list[StepResult]) -> None:
    html = as_html(findings(rows, checks=tuple(rows)), language="en")
    assert html.count(TITLES["checks"].en) == 1 and html.count(TITLES["steps"].en) == 1
    assert TITLES["checks"].en not in as_html(findings(rows), language="en")
