"""Transfer learning for image classification on Keras 3 and TensorFlow.

`check`, `rank`, `fit`, `pretrain`, `evaluate`, `predict`, `label_next`, `demo`, `export` and
`report` do the same as the commands of these names. `load` returns a trained classifier for use in
other programs.
"""

import importlib
from typing import TYPE_CHECKING, Any

from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.errors import TfxferError
from tfxfer.system.keras_settings import check_keras
from tfxfer.version import __version__

if TYPE_CHECKING:
    from tfxfer.api.check import check
    from tfxfer.api.curation.label_next import label_next
    from tfxfer.api.demo import demo
    from tfxfer.api.evaluate import evaluate
    from tfxfer.api.export import export
    from tfxfer.api.fit import fit
    from tfxfer.api.load import load
    from tfxfer.api.predict import predict
    from tfxfer.api.pretrain import pretrain
    from tfxfer.api.rank import rank
    from tfxfer.api.report import report

__all__ = [
    "FitConfig",
    "PretrainConfig",
    "TfxferError",
    "__version__",
    "check",
    "demo",
    "evaluate",
    "export",
    "fit",
    "label_next",
    "load",
    "predict",
    "pretrain",
    "rank",
    "report",
]

# TensorFlow takes seconds to import, so each module is imported on first use.
_MODULES = {
    "check": "api.check",
    "demo": "api.demo",
    "evaluate": "api.evaluate",
    "export": "api.export",
    "fit": "api.fit",
    "label_next": "api.curation.label_next",
    "load": "api.load",
    "predict": "api.predict",
    "pretrain": "api.pretrain",
    "rank": "api.rank",
    "report": "api.report",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        check_keras()
        return getattr(importlib.import_module(f"tfxfer.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'tfxfer' has no attribute '{name}'")
