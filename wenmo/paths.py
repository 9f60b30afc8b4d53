"""Paths of the files that ship with the code: pages, models, samples, fonts, measured results.

In a checkout these are folders beside the package; in an installed wheel they are in its `bundle` folder.
"""

from __future__ import annotations

from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parent
_BUNDLE = _PACKAGE / "bundle"

INSTALLED = _BUNDLE.is_dir()
ROOT = _BUNDLE if INSTALLED else _PACKAGE.parent
APP = ROOT / "app.py"
ASSETS = ROOT / "assets"
STATIC = ROOT / "static"
CACHE = platformdirs.user_cache_path("wenmo")  # what can be made again: may be deleted at any time
RESULTS = ROOT / "benchmarks" / "results"
