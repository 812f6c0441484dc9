"""The head phase against one `predict` pass over the same images, and with a warm cache.

    python benchmarks/head_phase.py DATA [--backbone resnet50 --weights none] [--train-examples N]

All in one process, repeat by repeat. Each time is from image files to the end: `predict` decodes,
compiles and runs the classifier as it is saved over the training and validation images; a head
phase (`seconds.images` and `seconds.head` of a fit) decodes, compiles, computes the features,
unless the cache has them, and trains. Each begins with a new model, so that each compiles once.
"""

import shutil
import tempfile
import time

import measuring

import tfxfer
from tfxfer.allocator import keep_freed_memory
from tfxfer.config import FitConfig
from tfxfer.pipeline import evaluation_batches, open_images
from tfxfer.plan import make_plan

# The name of each row, the settings of the head, and whether the cache is warm.
PHASES = {
    "adam, 10 epochs": ({"optimizer": "adam", "epochs": 10}, False),
    "adam, 10 epochs, warm": ({"optimizer": "adam", "epochs": 10}, True),
    "adam, 100 epochs": ({"optimizer": "adam", "epochs": 100}, False),
    "lbfgs": ({"optimizer": "lbfgs", "epochs": 100}, False),
    "lbfgs, warm": ({"optimizer": "lbfgs", "epochs": 100}, True),
}


def predict_seconds(config: FitConfig) -> float:
    """Returns how long one pass takes that gives the logits of all images."""
    plan = make_plan(config)
    model = plan.build_classifier(plan.config.weights).model
    start = time.perf_counter()
    images, _ = open_images(plan.source.splits, plan.config)
    for name in ("train", "validation"):
        model.predict(evaluation_batches(images[name], plan.config.batch_size), verbose=0)
    return time.perf_counter() - start


def head_seconds(config: FitConfig, head: dict, warm: bool) -> float:
    """Returns how long the head phase of a fit takes."""
    if not warm:
        shutil.rmtree(config.cache_dir, ignore_errors=True)
    result = tfxfer.fit(config, head=head, say=lambda _: None)
    seconds = result.metrics["seconds"]
    return seconds["images"] + seconds["head"]


def main() -> None:
    """Prints medians and ranges, and the ratios of each repeat to its own `predict`."""
    parser = measuring.command_line(__doc__, repeats=5)
    measuring.add_data_options(parser)
    options = parser.parse_args()
    keep_freed_memory()  # as the command does
    facts = measuring.facts()
    repeats = []
    for seed in range(options.repeats):
        with tempfile.TemporaryDirectory() as directory:
            config = FitConfig(
                **measuring.data_settings(options),
                test_examples=100,
                seed=seed,
                cache_dir=f"{directory}/cache",
                runs_dir=f"{directory}/runs",
                export_dir=f"{directory}/saved_models",
            ).with_settings({"head": {"epochs": 10}, "finetune": {"unfreeze": "none"}})
            seconds = {"one predict pass": predict_seconds(config)}
            for name, (head, warm) in PHASES.items():
                seconds[name] = head_seconds(config, head, warm)
            repeats.append(seconds)
            print(", ".join(f"{name} {value:.2f}" for name, value in seconds.items()), flush=True)
    columns = {
        "seconds": {name: [run[name] for run in repeats] for name in repeats[0]},
        "ratio to predict": {
            name: [run[name] / run["one predict pass"] for run in repeats] for name in repeats[0]
        },
        "ratio to cold": {
            name: [run[name] / run[name.removesuffix(", warm")] for run in repeats]
            for name in repeats[0]
        },
    }
    measuring.finish(options, facts, columns, dict.fromkeys(repeats[0], 3), repeats)


if __name__ == "__main__":
    main()
