"""`doctor`: what this machine is, which precision each model computes in and why, and what to do about what is slow."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wenmo.cli.common import Commands, language
from wenmo.extras import needs


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    doctor = commands.add_parser("doctor", help="what this machine is, what is slow on it, and what to do")
    doctor.add_argument(
        "--tables", action="store_true", help="also measure on the device: parity, memory beside predicted, speed"
    )
    doctor.add_argument("--device", default="auto", help="of the tables: auto, cpu, cuda or cuda:N (auto)")
    doctor.add_argument("--model", default="base", help="of the table of memory: tiny, base or large (base)")
    doctor.add_argument("--shape", choices=("bundled", "base", "large"), default="base", help="of the speed (base)")
    doctor.add_argument("--count", type=int, default=256, help="reviews for the speed (256)")
    doctor.add_argument("--out", type=Path, help="write the JSON there, too")
    doctor.set_defaults(command=_doctor)


def _doctor(options: argparse.Namespace) -> None:
    from wenmo.lab.doctor import checks, tables
    from wenmo.lab.throughput import write_result
    from wenmo.settings import Settings

    found = []
    for check in checks(Settings.read()):
        chinese = language() == "zh"
        print(f"{check.name:16} {check.text_zh if chinese else check.text}", flush=True)
        if advice := check.advice_zh if chinese else check.advice:
            print(f"{'':16} -> {advice}", flush=True)
        found.append(asdict(check))
    result: dict[str, Any] = {"checks": found}
    if options.tables:
        with needs("train"):  # transformers, for the padded forwards and the training steps of the table of memory
            result |= tables(
                options.device,
                model=options.model,
                shape=options.shape,
                count=options.count,
                progress=lambda stage: print(stage, file=sys.stderr, flush=True),
            )
        for row in result["memory"]:
            measured = "-" if row["measured"] is None else f"{row['measured'] / 2**20:,.0f}"
            print(f"{row['step']:48} predicted {row['predicted'] / 2**20:8,.0f} MiB, measured {measured:>8}")
        for row in result["parity"]:
            changed = f"{100 * row['change']:.2f} points and {row['decisions']:.1%} of decisions changed"
            print(f"{row['task']:12} {row['precision']:5} {changed}")
        for row in result["throughput"]["figures"]:
            print(f"{row['name']:16} {row['items_per_s']:10,.1f} a second")
    write_result(result, options.out)
