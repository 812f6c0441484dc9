"""The commands that train: `fit` and `pretrain`."""

import click

from tfxfer.cli.options import settings_of, with_settings
from tfxfer.cli.quiet import quiet_import
from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.runs.naming import run_to_resume
from tfxfer.system import streams

_RESUME = (
    "Go on with an interrupted run, under its own settings; --data says where its data are now."
)


@click.command()
@settings_of(FitConfig)
@click.option("--resume", metavar="RUN", help=_RESUME)
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.pass_context
def fit(context: click.Context, recipe: str | None, resume: str | None, dry_run: bool) -> None:
    """Train a classifier on a pretrained backbone and export it.

    What is left open is decided from the size of the data and of the images, and printed first. The
    same command again goes on with a run that was interrupted.
    """
    run = None if resume is None else run_to_resume(resume)
    config = with_settings(context, recipe, FitConfig(), run)
    with quiet_import():
        from tfxfer.api import fit as fitting
    if dry_run:
        streams.say(fitting.describe_plan(config, resume=run))
    else:
        fitting.fit(config, resume=run, say=streams.say)
        streams.check_printed()


@click.command()
@settings_of(PretrainConfig)
@click.option("--resume", metavar="RUN", help=_RESUME)
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.pass_context
def pretrain(context: click.Context, recipe: str | None, resume: str | None, dry_run: bool) -> None:
    """Train a backbone from scratch, for `tfxfer fit --weights` to transfer.

    The same command again goes on with a run that was interrupted.
    """
    run = None if resume is None else run_to_resume(resume)
    config = with_settings(context, recipe, PretrainConfig(), run)
    with quiet_import():
        from tfxfer.api import pretrain as pretraining
    if dry_run:
        streams.say(pretraining.describe_plan(config, resume=run))
    else:
        pretraining.pretrain(config, resume=run, say=streams.say)
        streams.check_printed()
