"""Transfer learning for image classification on Keras 3 and TensorFlow.

`check`, `fit`, `pretrain`, `evaluate`, `predict` and `report` do what the commands of these names
do; `load` gives a finished classifier to other scripts.
"""

import importlib
from typing import TYPE_CHECKING, Any

from tfxfer.config import FitConfig, PretrainConfig
from tfxfer.errors import TfxferError
from tfxfer.keras_settings import check_keras

if TYPE_CHECKING:
    from tfxfer.checking import check
    from tfxfer.evaluation import evaluate
    from tfxfer.prediction import predict
    from tfxfer.pretraining import pretrain
    from tfxfer.reporting import report
    from tfxfer.trained import load
    from tfxfer.training import fit

__version__ = "0.1.0.dev0"

__all__ = [
    "FitConfig",
    "PretrainConfig",
    "TfxferError",
    "check",
    "evaluate",
    "fit",
    "load",
    "predict",
    "pretrain",
    "report",
]

# TensorFlow takes seconds to import, so the module of each is imported when it is first asked for.
_MODULES = {
    "check": "checking",
    "evaluate": "evaluation",
    "fit": "training",
    "load": "trained",
    "predict": "prediction",
    "pretrain": "pretraining",
    "report": "reporting",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        check_keras()
        return getattr(importlib.import_module(f"tfxfer.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'tfxfer' has no attribute '{name}'")
