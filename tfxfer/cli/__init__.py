"""What people type: `main` with all its commands, one file for a few of a kind."""

from tfxfer.cli import export, fitting, judging, listing, predict
from tfxfer.cli.app import main

__all__ = ["main"]

# As --help lists them.
for command in (
    fitting.fit,
    fitting.pretrain,
    judging.check,
    judging.evaluate,
    judging.report,
    predict.predict,
    export.export,
    listing.backbones,
    listing.cache,
):
    main.add_command(command)
