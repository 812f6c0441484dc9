"""The grid of `recipes.py`: datasets, ways to fine-tune, and the fits of its cells.

    python benchmarks/recipe_cells.py hymenoptera/mobilenetv2/all-3e-4-10/0 ...

A cell is a dataset, a backbone, a way and a seed. Each is fitted as `tfxfer fit` fits it, without
export and report, one after the other in this process, which spares imports. For each a line of
JSON goes to standard output. With RECIPES_PROBABILITIES set to a folder, the probabilities and
labels of validation and test go there, too.
"""

import gc
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_REAL_DATA = Path(os.environ.get("TFXFER_REAL_DATA", "."))

_FOLDERS = ("hymenoptera", "flowers5_small", "brain_mri", "magnetic_tiles")

# A fifth of CIFAR-10's labeled images validates, as the recipe has it for so few.
DATASETS: dict[str, dict[str, Any]] = {
    **{name: {"data": str(_REAL_DATA / name), "bad_images": "skip"} for name in _FOLDERS},
    "digits": {"data": "digits"},
    **{
        f"cifar10_{number}": {
            "data": "cifar10",
            "train_examples": number,
            "validation_examples": number // 4,
            "test_examples": 2000,
        }
        for number in (500, 2000, 10_000)
    },
}

# Pixels of images that are upsampled for MobileNetV2; the recipe has 128, in twice the time.
_UPSAMPLED = 96

# By backbone, the first stage of the last resolution, and of the last two.
_STAGES = {
    "efficientnet_lite0": {"last": "block6", "half": "block4"},
    "mobilenetv2": {"last": "block_13", "half": "block_6"},
    "mobilenetv2_035": {"last": "block_13", "half": "block_6"},
    "resnet10_small": {"last": "conv5", "half": "conv4"},
}

_STILL = {"shift": 0.0, "zoom": 0.0, "rotation": 0.0}


@dataclass(frozen=True)
class Way:
    """A way to fine-tune; what is None is as the recipe decides.

    Attributes:
        depth: "last" (resolution), "half" (the last two), "all", or "none": the head alone.
        rate: Peak learning rate.
        epochs: Of the finetune phase.
        still: Whether images are only mirrored: neither shifted nor zoomed nor rotated.
        zoom: Whether images are zoomed; if not, they are mirrored and shifted by whole pixels.
        decay: Factor of the learning rate from each stage to the one before it.
        ema: Momentum of the average of the weights.
        fit: How images are fitted into the square: "crop", "stretch" or "pad".
        effort: "standard" searches among the ways of the portfolio.
    """

    depth: str | None = None
    rate: float | None = None
    epochs: int | None = None
    still: bool = False
    zoom: bool = True
    decay: float | None = None
    ema: float | None = None
    fit: str | None = None
    effort: str = "quick"

    def settings(self, backbone: str) -> dict[str, Any]:
        """Returns the settings of a fit with this backbone."""
        if self == _EARLIER_DEFAULT and backbone == "resnet10_small":
            return {"effort": "quick"}
        unfreeze = _STAGES[backbone].get(self.depth, self.depth)
        finetune = {
            "unfreeze": unfreeze,
            "learning_rate": self.rate,
            "epochs": self.epochs,
            "layer_decay": self.decay,
            "ema": self.ema,
            "echo": None if self.depth is None else 1,  # as they were measured first
        }
        augment = _STILL if self.still else {} if self.zoom else {"zoom": 0.0}
        return {
            "finetune": finetune,
            "augment": augment,
            "fit_images": self.fit,
            "effort": self.effort,
        }


# What fits of few images did by default when the grid began.
_EARLIER_DEFAULT = Way("last", 3e-5, 5)

# The most informative first, in rounds: the next begins when one has run everywhere.
ROUNDS = (
    {
        "head": Way("none"),
        "default": _EARLIER_DEFAULT,
        "last-3e-4-10": Way("last", 3e-4, 10),
        "all-1e-4-10": Way("all", 1e-4, 10),
        "last-3e-4-10-still": Way("last", 3e-4, 10, still=True),
        "all-3e-4-10": Way("all", 3e-4, 10),
    },
    {
        "all-3e-4-10-decay": Way("all", 3e-4, 10, decay=0.9),
        "last-1e-4-10": Way("last", 1e-4, 10),
        "all-1e-4-5": Way("all", 1e-4, 5),
        "half-1e-4-10": Way("half", 1e-4, 10),
    },
    {
        "all-3e-4-10-still": Way("all", 3e-4, 10, still=True),
        "last-1e-3-10": Way("last", 1e-3, 10),
        "all-1e-3-10": Way("all", 1e-3, 10),
        "half-3e-4-10": Way("half", 3e-4, 10),
    },
    {
        "last-3e-4-10-ema": Way("last", 3e-4, 10, ema=0.9),
        "last-3e-4-10-still-ema": Way("last", 3e-4, 10, still=True, ema=0.9),
        "all-3e-4-10-decay-ema": Way("all", 3e-4, 10, decay=0.9, ema=0.9),
        "all-3e-4-10-decay-still-ema": Way("all", 3e-4, 10, still=True, decay=0.9, ema=0.9),
        "all-1e-4-10-ema": Way("all", 1e-4, 10, ema=0.9),
    },
    {
        "last-3e-4-5": Way("last", 3e-4, 5),
        "all-3e-4-5": Way("all", 3e-4, 5),
        "half-1e-3-10": Way("half", 1e-3, 10),
        "half-3e-4-10-still": Way("half", 3e-4, 10, still=True),
        "all-3e-5-10": Way("all", 3e-5, 10),
    },
    {
        "quick": Way(),
        "standard": Way(effort="standard"),
        "quick-no-zoom": Way(zoom=False),
        "half-3e-4-10-decay-ema": Way("half", 3e-4, 10, decay=0.9, ema=0.9),
        "half-3e-4-10-decay-still-ema": Way("half", 3e-4, 10, still=True, decay=0.9, ema=0.9),
    },
    {
        "head-stretch": Way("none", fit="stretch"),
        "head-pad": Way("none", fit="pad"),
        "quick-stretch": Way(fit="stretch"),
        "quick-pad": Way(fit="pad"),
    },
)

WAYS = {name: way for ways in ROUNDS for name, way in ways.items()}


def settings_of(cell: str) -> dict[str, Any]:
    """Returns the settings of a cell's fit."""
    dataset, backbone, way, seed = cell.split("/")
    upsampled = dataset not in _FOLDERS and backbone != "resnet10_small"
    return {
        **DATASETS[dataset],
        **WAYS[way].settings(backbone),
        "backbone": backbone,
        "image_size": _UPSAMPLED if upsampled else None,
        "seed": int(seed),
    }


def scores_of(probabilities: Mapping[str, Any], labels: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the scores of splits: accuracy, log loss and its standard error.

    "tempered" is the log loss at the temperature that suits validation, which is 1 where the
    network is neither over- nor underconfident.
    """
    from tfxfer.evaluation.calibration import apply_temperature, fit_temperature
    from tfxfer.evaluation.metrics import example_losses
    from tfxfer.models.objectives import accuracy

    temperature = fit_temperature(probabilities["validation"], labels["validation"])
    found: dict[str, Any] = {"temperature": round(temperature, 3)}
    for name, rows in probabilities.items():
        losses = example_losses(rows, labels[name])
        found[name] = {
            "accuracy": round(accuracy(rows, labels[name]), 5),
            "loss": round(float(losses.mean()), 5),
            "error": round(float(losses.std() / len(losses) ** 0.5), 5),
            "tempered": round(
                float(example_losses(apply_temperature(rows, temperature), labels[name]).mean()), 5
            ),
        }
    return found


def _outcome(trained: Any, lines: list[str]) -> dict[str, Any]:
    """Returns what is kept of a fit: scores by split, epochs, sizes, decisions."""
    config, metrics = trained.plan.config, trained.metrics
    epochs: dict[str, list[list[float]]] = {"head": [], "finetune": []}
    for one in trained.journal.history.epochs:
        scores = one.train_loss, one.train_accuracy, one.validation_loss, one.validation_accuracy
        epochs[one.phase].append([float(f"{score:.5g}") for score in scores])
    begun = re.search(r"starts from the head with L2=([^,\s]+)", "\n".join(lines))
    return {
        **scores_of(
            trained.probabilities, {name: one.labels for name, one in trained.images.items()}
        ),
        "kept": f"{metrics.best.phase} {metrics.best.epoch}",
        **({"chosen": metrics.search.sentence} if metrics.search else {}),
        "head": epochs["head"][-1],
        "penalty": metrics.penalty,
        "finetune_penalty": float(begun[1]) if begun else metrics.penalty,
        "finetune": epochs["finetune"],
        "settings": {
            "image_size": config.image_size,
            "batch_size": config.batch_size,
            "unfreeze": config.finetune.unfreeze,
            "learning_rate": config.finetune.learning_rate,
            "epochs": config.finetune.epochs,
            "augment": vars(config.augment),
        },
        "images": {split: len(images) for split, images in trained.images.items()},
        "classes": metrics.num_classes,
        "seconds": {part: round(value, 1) for part, value in metrics.seconds.items()},
    }


def _keep_probabilities(cell: str, trained: Any) -> None:
    """Keeps the probabilities and labels of a fit, if there is a folder for them."""
    import numpy as np

    if folder := os.environ.get("RECIPES_PROBABILITIES"):
        labels = {f"{name}_labels": trained.images[name].labels for name in trained.probabilities}
        path = Path(folder, cell.replace("/", "~") + ".npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **trained.probabilities, **labels)


def fit(cell: str) -> dict[str, Any]:
    """Fits a cell and returns what came out of it."""
    import keras

    from tfxfer.config.schema import FitConfig
    from tfxfer.errors import RunError
    from tfxfer.planning.plan import make_plan
    from tfxfer.system.isolation import own_globals
    from tfxfer.system.signals import Interruptions
    from tfxfer.training.transfer import train

    lines: list[str] = []
    start, cpu_start = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder, own_globals():
        places = {"runs_dir": f"{folder}/runs", "export_dir": f"{folder}/exports"}
        plan = make_plan(FitConfig().with_settings(_known(settings_of(cell)) | places))
        try:
            trained = train(plan, Interruptions(), lines.append)
        except RunError as error:
            found: dict[str, Any] = {"failed": str(error)}
        else:
            found = _outcome(trained, lines)
            _keep_probabilities(cell, trained)
    found["wall_seconds"] = round(time.perf_counter() - start, 1)
    found["cpu_seconds"] = round(time.process_time() - cpu_start, 1)
    keras.backend.clear_session()
    gc.collect()
    return found


def _known(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings without what is open in them."""
    return {
        name: _known(value) if isinstance(value, Mapping) else value
        for name, value in settings.items()
        if value is not None
    }


def main() -> None:
    """Fits the cells of the command line."""
    from tfxfer.cli.allocator import keep_freed_memory

    keep_freed_memory()
    for cell in sys.argv[1:]:
        print(json.dumps({"cell": cell, **fit(cell)}), flush=True)


if __name__ == "__main__":
    main()
