"""`export`: writes a model for ONNX Runtime, transformers or sentence-transformers."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from wenmo.cli.common import Commands, print_json
from wenmo.tasks.table import TASKS, task_spec


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("export", help="a model as ONNX, or for transformers or sentence-transformers")
    parser.add_argument("model", help="bundled name, local name, hub id or folder")
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--to", choices=("onnx", "transformers", "sentence-transformers"), required=True)
    parser.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="fp32", help="int8: onnx only (fp32)")
    parser.add_argument("--task", choices=[spec.slug for spec in TASKS.values()], help="(the model's own)")
    parser.add_argument("--label-names", help="what its labels are called, where it only has LABEL_0, LABEL_1, ...")
    parser.set_defaults(command=_export)


def _export(options: argparse.Namespace) -> None:
    from wenmo.export.export import export
    from wenmo.models.hubs import qualified
    from wenmo.settings import Settings

    settings = Settings.read()
    exported = export(
        qualified(options.model, settings.hub),
        options.out,
        to=options.to,
        precision=options.precision,
        task=task_spec(options.task).name if options.task else None,
        label_names=options.label_names,
        models_folder=settings.models_folder,
    )
    what = "component of a vector" if TASKS[exported.task].outputs == "vectors" else "probability"
    print(
        f"{exported.folder}: {exported.size_mib:.1f} MiB; no {what} differs from our own by more than "
        f"{exported.largest_difference:.1g}",
        file=sys.stderr,
    )
    print_json({**asdict(exported), "folder": str(exported.folder)})
