"""`texts -> task.encode -> runtime (plans batches, forwards) -> task.decode -> results`.

`engine.py` is the facade, `models.py` what it has loaded, `walk.py` the one way through; `zero_shot.py` and
`explaining.py` are the questions that take more than one walk.

One engine serves a whole process. Models are loaded when a task is first used, each once; after that nothing in an
engine changes, so any number of threads may call it.
"""

from wenmo.engine.engine import Engine
from wenmo.engine.loading import ModelInfo
from wenmo.engine.pipeline import OnProgress

__all__ = ["Engine", "ModelInfo", "OnProgress"]
