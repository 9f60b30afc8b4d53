"""`texts -> task.encode -> runtime (plans batches, forwards) -> task.decode -> results`.

`engine.py` is the facade, `loading.py` holds its models, `pipeline.py` encodes, computes and decodes;
`zero_shot_methods.py` and `explaining.py` answer questions that run the pipeline in other ways.

A process has one engine. Each model is loaded once, when its task is first used. Thread-safe.
"""

from wenmo.engine.engine import Engine
from wenmo.engine.loading import ModelInfo
from wenmo.engine.pipeline import OnProgress

__all__ = ["Engine", "ModelInfo", "OnProgress"]
