"""文墨共鸣 wenmo: Chinese sentence similarity, sentiment and classification over StructBERT and other BERT models.

engine = wenmo.Engine()
engine.similarity([("今天天气真好", "天气不错")])[0].score
"""

from wenmo.engine import Engine, ModelInfo
from wenmo.errors import (
    BusyError,
    CheckpointError,
    DeviceError,
    DownloadError,
    ForwardError,
    InputError,
    ModelNotFoundError,
    WenmoError,
)
from wenmo.types import (
    Alignment,
    ClassifyResult,
    Explanation,
    Part,
    Resolved,
    Result,
    SchedulerLimits,
    SentimentResult,
    SimilarityResult,
    ZeroShotResult,
)
from wenmo.version import __version__

__all__ = [
    "Alignment",
    "BusyError",
    "CheckpointError",
    "ClassifyResult",
    "DeviceError",
    "DownloadError",
    "Engine",
    "Explanation",
    "ForwardError",
    "InputError",
    "ModelInfo",
    "ModelNotFoundError",
    "Part",
    "Resolved",
    "Result",
    "SchedulerLimits",
    "SentimentResult",
    "SimilarityResult",
    "WenmoError",
    "ZeroShotResult",
    "__version__",
]
