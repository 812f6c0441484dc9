"""Time of the head phase, compared with one `predict` of the same images, and with a warm cache.

    python benchmarks/head_phase.py DATA [--backbone resnet50 --weights none] [--train-examples N]

Whole processes, in alternation. Times start with image files: `predict` decodes, compiles and runs
the saved classifier on the training and validation images; a head phase (`seconds.images` and
`seconds.head` of a fit) decodes, compiles, computes the features, and trains. The same process then
fits again with a new model and a warm cache.
"""

import json
import tempfile
import time

import measuring

from tfxfer.cli.allocator import keep_freed_memory
from tfxfer.config.schema import FitConfig
from tfxfer.data.batches import evaluation_batches
from tfxfer.data.image.screening import open_images
from tfxfer.planning.plan import make_plan
from tfxfer.system.signals import Interruptions
from tfxfer.training.transfer import train

PREDICT = "one predict"
# Head settings of each variant.
HEADS = {
    "Adam, 10 epochs": {"optimizer": "adam", "epochs": 10},
    "Adam, 100 epochs": {"optimizer": "adam", "epochs": 100},
    "L-BFGS": {"optimizer": "lbfgs", "epochs": 100},
}
WAYS = (PREDICT, *HEADS)


def predict_seconds(config: FitConfig) -> float:
    """Returns the seconds of one `predict` of all images."""
    plan = make_plan(config)
    model = plan.build_classifier(plan.config.weights).model
    start = time.perf_counter()
    images, _ = open_images(plan.source.splits, plan.config)
    for name in ("train", "validation"):
        model.predict(evaluation_batches(images[name], plan.config.batch_size), verbose=0)
    return time.perf_counter() - start


def head_seconds(config: FitConfig, head: dict) -> float:
    """Returns the seconds of the head phase of a fit."""
    plan = make_plan(config.with_settings({"head": head}))
    with Interruptions() as interruptions:
        seconds = train(plan, interruptions, say=lambda _: None).metrics.seconds
    return seconds["images"] + seconds["head"]


def measure(options) -> None:
    """Prints the seconds of one variant as JSON, by row of the table."""
    keep_freed_memory()  # as the command does
    way = options.way
    with tempfile.TemporaryDirectory() as directory:
        config = FitConfig(
            **measuring.data_settings(options),
            test_examples=100,
            cache_dir=f"{directory}/cache",
            runs_dir=f"{directory}/runs",
            export_dir=f"{directory}/saved_models",
        ).with_settings({"head": {"epochs": 10}, "finetune": {"unfreeze": "none"}})
        if way == PREDICT:
            found = {way: predict_seconds(config)}
        else:
            found = {name: head_seconds(config, HEADS[way]) for name in (way, f"{way}, warm cache")}
    print(json.dumps(found))


def main() -> None:
    """Prints medians and ranges, and the ratio of each repeat to its own `predict`."""
    parser = measuring.command_line(__doc__, repeats=5)
    measuring.add_data_options(parser)
    parser.add_argument("--way", choices=WAYS, help="run only this variant, in this process")
    options = parser.parse_args()
    if options.way:
        measure(options)
        return
    facts = measuring.facts()
    repeats = [
        {name: seconds for found in run.values() for name, seconds in found.items()}
        for run in measuring.in_turn(WAYS, options.repeats)
    ]
    columns = {
        "seconds": {name: [run[name] for run in repeats] for name in repeats[0]},
        "ratio to predict": {
            name: [run[name] / run[PREDICT] for run in repeats] for name in repeats[0]
        },
        "ratio to empty cache": {
            name: [run[name] / run[name.removesuffix(", warm cache")] for run in repeats]
            for name in repeats[0]
        },
    }
    measuring.finish(options, facts, columns, dict.fromkeys(repeats[0], 3), repeats)


if __name__ == "__main__":
    main()
