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
from wenmo.search import Index
from wenmo.types import (
    Alignment,
    ClassifyResult,
    Duplicates,
    Explanation,
    Hit,
    Part,
    Resolved,
    Result,
    SchedulerLimits,
    SentimentResult,
    SimilarityResult,
    TextGroup,
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
    "Duplicates",
    "Engine",
    "Explanation",
    "ForwardError",
    "Hit",
    "Index",
    "InputError",
    "ModelInfo",
    "ModelNotFoundError",
    "Part",
    "Resolved",
    "Result",
    "SchedulerLimits",
    "SentimentResult",
    "SimilarityResult",
    "TextGroup",
    "WenmoError",
    "ZeroShotResult",
    "__version__",
]
