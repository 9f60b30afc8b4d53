"""Make the bundled models, or others by a recipe of one's own.

python -m recipes recipes/bundled.toml --data DIR --work .training --out assets/models
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from recipes.recipe import STAGES, Recipe, Run
from wenmo.errors import WenmoError


def main() -> int:
    """Returns the exit status: 0, or 2 for an error that the user can mend."""
    parser = argparse.ArgumentParser(prog="python -m recipes", description="Make checkpoints by a recipe.")
    parser.add_argument("recipe", type=Path, help="such as recipes/bundled.toml")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with similarity/, sentiment/, nli/, topics/, text/"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for the vocabulary and the run's own state")
    parser.add_argument("--out", type=Path, required=True, help="folder for the finished models")
    parser.add_argument("--stages", help=f"comma-separated, of {', '.join(STAGES)} (all)")
    parser.add_argument("--max-steps", type=int, help="stop each stage early")
    options = parser.parse_args()
    try:
        run = Run(
            Recipe.read(options.recipe),
            data_folder=options.data,
            work=options.work,
            out=options.out,
            log=lambda line: print(line, flush=True),
            max_steps=options.max_steps,
        )
        for stage in options.stages.split(",") if options.stages else STAGES:
            run.stage(stage.strip())
    except WenmoError as error:
        print(f"recipes: {error.text('en')}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
