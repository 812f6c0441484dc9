"""Cost of deterministic training, and whether training is deterministic.

    python benchmarks/determinism.py DATA [--backbone resnet50 --weights none]

Whole processes, in alternation: the fine-tuning loop as tfxfer runs it, and the same with
`tf.config.experimental.enable_op_determinism`. Each trains a few epochs from the same start on the
real pipeline. The first epoch, which compiles the step, is not timed. The final weights of the
processes are compared bit for bit.
"""

import json
import time

import measuring

WAYS = ("default", "op determinism")


def train(options) -> None:
    """Trains, and prints images per second and a digest of the weights as JSON."""
    import keras
    import tensorflow as tf

    from tfxfer.config.schema import FitConfig
    from tfxfer.data.batches import training_batches
    from tfxfer.data.image.screening import open_images
    from tfxfer.planning.plan import make_plan
    from tfxfer.system.digests import id_of
    from tfxfer.training.epochs.loop import Batches, compiled_view, run_epochs

    config = FitConfig(**measuring.data_settings(options), cache_gigabytes=0.0)
    plan = make_plan(config.with_settings({"finetune": {"epochs": options.epochs}}))
    config = plan.config
    classifier = plan.build_classifier(config.weights)
    if options.way == WAYS[1]:
        tf.config.experimental.enable_op_determinism()
    classifier.unfreeze(config.finetune.unfreeze, config.finetune.batch_norm)
    images = open_images(plan.source.splits, config)[0]["train"]
    steps = -(-len(images) // config.batch_size)
    view = compiled_view(classifier.halves().whole, config.finetune, config, steps)

    def batches(first, end, step):
        return training_batches(
            images, config.batch_size, seed=0, epochs=end, augment=config.augment
        )

    ends = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
    )
    run_epochs(view, Batches(steps, batches), [clock], epochs=options.epochs)
    rate = len(images) * (options.epochs - 1) / (ends[-1] - ends[0])
    digest = id_of(*(weight.tobytes() for weight in classifier.model.get_weights())).hex()
    print(json.dumps({"rate": rate, "digest": digest}))


def main() -> None:
    """Prints medians and ranges, and the number of different weights."""
    parser = measuring.command_line(__doc__, repeats=5)
    measuring.add_data_options(parser)
    parser.add_argument("--epochs", type=int, default=4, help="per process [default: 4]")
    parser.add_argument("--way", choices=WAYS, help="run only this variant, in this process")
    options = parser.parse_args()
    if options.way:
        train(options)
        return
    facts = measuring.facts()
    repeats = measuring.in_turn(WAYS, options.repeats)
    rates = {way: [run[way]["rate"] for run in repeats] for way in WAYS}
    columns = {
        "images per second": rates,
        "ratio to default": {
            way: [run[way]["rate"] / run["default"]["rate"] for run in repeats] for way in WAYS
        },
    }
    for way in WAYS:
        digests = {run[way]["digest"] for run in repeats}
        print(f"{way}: {len(digests)} different result(s) in {options.repeats} processes")
    measuring.finish(options, facts, columns, dict.fromkeys(WAYS, 3), repeats)


if __name__ == "__main__":
    main()
