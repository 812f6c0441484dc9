"""The command line: `main` with all its commands, related ones in one file."""

from tfxfer.cli import backbones, cache, demo, evaluating, export, fitting, predict
from tfxfer.cli.app import main

__all__ = ["main"]

main.add_section("Get started", evaluating.check, evaluating.rank, fitting.fit)
main.add_section("Backbones", backbones.backbones, fitting.pretrain)
main.add_section(
    "Use a model",
    evaluating.evaluate,
    evaluating.report,
    predict.predict,
    predict.label_next,
    demo.demo,
    export.export,
)
main.add_section("Housekeeping", cache.cache)
