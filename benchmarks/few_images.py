"""How much pretraining helps with few labeled images: `fit --compare-scratch` over several seeds.

    python benchmarks/few_images.py configs/digits_quick.toml --train-examples 100 --seeds 0 1 2 3 4

The seed selects the images, their order and augmentation, and the random weights. Prints one JSON
line per seed, then the mean and the range.
"""

import argparse
import json
import statistics
import tempfile

import tfxfer
from tfxfer.config.recipes import read_recipe


def compare(config: tfxfer.FitConfig, seed: int) -> dict:
    """Returns the comparison of a fit."""
    with tempfile.TemporaryDirectory() as directory:
        result = tfxfer.fit(
            config,
            seed=seed,
            runs_dir=f"{directory}/runs",
            export_dir=f"{directory}/saved_models",
            say=lambda _: None,
        )
    comparison = result.metrics["comparison"]
    return {
        "seed": seed,
        "pretrained": round(comparison["pretrained"]["accuracy"], 4),
        "scratch": round(comparison["scratch"]["accuracy"], 4),
        "gain": round(comparison["gain"], 4),
        "num_train": comparison["num_train"],
        "epochs": comparison["epochs"],
    }


def main() -> None:
    """Prints the accuracies and the gain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--train-examples", type=int, required=True)
    parser.add_argument("--validation-examples", type=int)
    parser.add_argument(
        "--epochs", type=int, help="Epochs from random weights. The default is the same budget."
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    config = read_recipe(arguments.recipe, tfxfer.FitConfig()).with_settings(
        {
            "train_examples": arguments.train_examples,
            "validation_examples": arguments.validation_examples,
            "compare_scratch": True,
            "compare_examples": None,
            "compare_epochs": arguments.epochs,
        }
    )
    rows = []
    for seed in arguments.seeds:
        rows.append(compare(config, seed))
        print(json.dumps(rows[-1]), flush=True)
    for name in ("pretrained", "scratch", "gain"):
        values = [row[name] for row in rows]
        print(
            f"{name}: mean {statistics.mean(values):.3f}, range {min(values):.3f} to "
            f"{max(values):.3f}"
        )


if __name__ == "__main__":
    main()
