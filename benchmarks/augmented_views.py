"""Accuracy and cost of augmented views in the head phase.

    python benchmarks/augmented_views.py DATA [--train-examples N] [--image-size N]

Runs the head phase alone, with an empty cache, for each number of augmented views per image, in
addition to the original. Augmentation in each epoch would need as many views as epochs, and as many
passes through the backbone. Accuracy and loss are on test, or on validation if there is no test.
"""

import tempfile

import measuring

from tfxfer.cli.allocator import keep_freed_memory
from tfxfer.config.schema import FitConfig
from tfxfer.planning.plan import make_plan
from tfxfer.system.signals import Interruptions
from tfxfer.training.transfer import train


def main() -> None:
    """Prints the median and range over the seeds for each number of views."""
    parser = measuring.command_line(__doc__, repeats=3)
    measuring.add_data_options(parser)
    parser.add_argument("--test-examples", type=int)
    parser.add_argument("--views", type=int, nargs="+", default=[0, 1, 4, 8])
    options = parser.parse_args()
    keep_freed_memory()  # as the command does
    facts = measuring.facts()
    repeats = []
    for seed in range(options.repeats):
        rows = {}
        for views in options.views:
            with tempfile.TemporaryDirectory() as directory:
                config = FitConfig(
                    **measuring.data_settings(options),
                    test_examples=options.test_examples,
                    seed=seed,
                    cache_dir=f"{directory}/cache",
                    runs_dir=f"{directory}/runs",
                    export_dir=f"{directory}/saved_models",
                ).with_settings({"head": {"augmented_views": views}})
                config = config.with_settings({"finetune": {"unfreeze": "none"}})
                with Interruptions() as interruptions:
                    metrics = train(make_plan(config), interruptions, say=lambda _: None).metrics
            scores = metrics.evaluation_scores
            rows[f"{views} views"] = {
                "accuracy": scores.accuracy,
                "loss": scores.loss,
                "seconds": metrics.seconds["head"],
            }
        repeats.append(rows)
    columns = {
        name: {row: [run[row][name] for run in repeats] for row in repeats[0]}
        for name in ("accuracy", "loss", "seconds")
    }
    measuring.finish(options, facts, columns, dict.fromkeys(repeats[0], 3), repeats)


if __name__ == "__main__":
    main()
