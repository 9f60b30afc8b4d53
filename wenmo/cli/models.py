"""`models`: lists the models that are bundled, cached and known; `models pull` downloads one from the hub."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from wenmo.cli.common import Commands, print_json


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    models = commands.add_parser("models", help="what is bundled, cached and known; `models pull ID` downloads")
    models.set_defaults(command=_models)
    actions = models.add_subparsers(metavar="ACTION")
    pull = actions.add_parser("pull", help="download a model from the hub")
    pull.add_argument("id", help="owner/name; ms: before it is ModelScope, hf: Hugging Face (WENMO_HUB, modelscope)")
    pull.set_defaults(command=_pull)


def _models(options: argparse.Namespace) -> None:
    from wenmo.models.registry import listing
    from wenmo.settings import Settings

    entries = listing(Settings.read().models_folder)
    for entry in entries:
        size = "" if entry.size_mib is None else f"{entry.size_mib:.1f} MiB"
        print(f"{entry.kind:8} {entry.task or '':11} {entry.name:60} {size}".rstrip())
    print_json([{**asdict(entry), "folder": None if entry.folder is None else str(entry.folder)} for entry in entries])


def _pull(options: argparse.Namespace) -> None:
    from wenmo.models.hubs import download, qualified
    from wenmo.settings import Settings

    name = qualified(options.id, Settings.read().hub)
    print_json({"id": name, "folder": str(download(name))})
