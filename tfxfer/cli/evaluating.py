"""The commands that examine data and models: `check`, `rank`, `evaluate` and `report`."""

import json
import pathlib
from typing import Any

import click

from tfxfer.cli.formatting import Command, Option
from tfxfer.cli.options import (
    HEADINGS,
    JSON_HELP,
    OTHER_DATA,
    batch_size_option,
    options_of,
    setting_help,
)
from tfxfer.cli.quiet import quiet_import, quiet_libraries
from tfxfer.config.schema import READING_SETTINGS, FitConfig, RunConfig
from tfxfer.curation.asking import EXAMINATION_SETTINGS, asked_examination
from tfxfer.errors import RunError, TfxferError
from tfxfer.planning.inputs import check_inputs
from tfxfer.ranking.candidates import RANKING_SETTINGS, Limits, choose_candidates
from tfxfer.system import streams
from tfxfer.system.files import check_output, write_text
from tfxfer.system.run_layout import files_of_model

_DATA_DIR = setting_help(RunConfig, "data_dir")

_CHECK_BACKBONE = (
    "Also examine the features of this pretrained network: labels that look wrong, near copies, "
    "outliers, shift between splits."
)

_WRITE_MANIFEST = (
    "Write the data to FILE, a manifest (.csv) with a column 'suspect'. Edit it, and pass it to "
    "fit with --data."
)

_CHECK_PAGE = "Write these findings as an HTML page with thumbnails, such as check.html."

_ALL = "Rank all backbones whose weights are available locally."

_MAX_MINUTES = "Time budget of the ranking. Backbones that would exceed it are skipped."

_MAX_PARAMETERS = "Skip backbones with more parameters, such as 10e6."

_MAX_MILLISECONDS = "Skip backbones that take longer per image on this machine."

_LEARNING_CURVE = (
    "Also measure how additional images and pretraining help the head of the best backbone."
)

_STAGES = "Also rank the stages of the best backbone, to see how much of it to unfreeze."

_PAGE = "Also write the ranking as an HTML page with a chart, such as ranking.html."


@click.command(
    cls=Command,
    headings=HEADINGS,
    examples=(
        "tfxfer check photos",
        "tfxfer check photos --backbone mobilenetv2 --output check.html",
    ),
)
@click.argument("data")
@click.option("--data-dir", cls=Option, help=_DATA_DIR)
@click.option(
    "--bad-images",
    cls=Option,
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="How fit would handle unreadable images.",
)
@click.option("--backbone", cls=Option, metavar="NAME", help=_CHECK_BACKBONE)
@options_of(FitConfig, (*READING_SETTINGS, *EXAMINATION_SETTINGS))
@click.option("--write-manifest", cls=Option, metavar="FILE", help=_WRITE_MANIFEST)
@click.option("--json", "json_file", cls=Option, metavar="FILE", help=JSON_HELP)
@click.option("--output", cls=Option, metavar="FILE", help=_CHECK_PAGE)
@click.pass_context
def check(
    context: click.Context,
    /,
    data: str,
    backbone: str | None,
    write_manifest: str | None,
    json_file: str | None,
    output: str | None,
    **options: Any,
) -> None:
    """Check a dataset for problems before training.

    Reads every image of DATA and reports each problem with what fit does about it: unreadable
    images, duplicates, class imbalance, and so on. With --backbone, also lists labels that look
    wrong, near copies, outliers and shift between splits. DATA is a folder, a manifest, TFRecord
    files or the name of a dataset, as for fit. The exit code is 1 if fit would stop.
    """
    settings = context.ensure_object(dict)
    options |= {name: settings.pop(name) for name in READING_SETTINGS if name in settings}
    # Before the slow import of TensorFlow.
    asked_examination(FitConfig(data=data, **options), backbone, settings, write_manifest, output)
    _check_json(json_file, data)
    with quiet_import():
        from tfxfer.api import check as checking
    with quiet_libraries():
        files: dict[str, Any] = {"write_manifest": write_manifest, "output": output}
        result = checking.check(data, backbone=backbone, **files, **options, **settings)
    _print_result(result.describe(), result.as_json(), json_file)
    if json_file != "-" and result.by_features is not None:
        for path in filter(None, files.values()):
            streams.say(f"Wrote '{path}'.")
    if result.blocks:
        context.exit(1)


@click.command(
    cls=Command,
    headings=HEADINGS,
    examples=(
        "tfxfer rank --data photos",
        "tfxfer rank --data photos mobilenetv2 efficientnetb0 --json ranking.json",
    ),
)
@click.argument("backbones", nargs=-1, metavar="[BACKBONE]...")
@options_of(FitConfig, RANKING_SETTINGS)
@click.option("--all", "all_backbones", cls=Option, is_flag=True, help=_ALL)
@click.option("--max-minutes", cls=Option, type=float, help=_MAX_MINUTES)
@click.option("--max-parameters", cls=Option, type=float, help=_MAX_PARAMETERS)
@click.option("--max-milliseconds", cls=Option, type=float, help=_MAX_MILLISECONDS)
@click.option("--learning-curve", cls=Option, is_flag=True, help=_LEARNING_CURVE)
@click.option("--stages", cls=Option, is_flag=True, help=_STAGES)
@click.option("--json", "json_file", cls=Option, metavar="FILE", help=JSON_HELP)
@click.option("--output", cls=Option, metavar="FILE", help=_PAGE)
@click.pass_context
def rank(
    context: click.Context,
    /,
    backbones: tuple[str, ...],
    all_backbones: bool,
    learning_curve: bool,
    stages: bool,
    json_file: str | None,
    output: str | None,
    **limits: float | None,
) -> None:
    """Rank pretrained backbones on a dataset, without training them.

    Cross-validates a linear head on the features of each BACKBONE, and measures its speed. Without
    BACKBONE, a dozen are ranked. Weights are not downloaded: backbones whose weights are not
    available locally are skipped.
    """
    choose_candidates(backbones, Limits(**limits), all_backbones=all_backbones)
    config = FitConfig().with_settings(context.ensure_object(dict))
    check_inputs(config)  # before the slow import of TensorFlow
    _check_json(json_file, config.data)
    with quiet_import():
        from tfxfer.api import rank as ranking
    result = ranking.rank(
        *backbones,
        all_backbones=all_backbones,
        learning_curve=learning_curve,
        stages=stages,
        output=output,
        say=streams.tell if json_file == "-" else streams.say,
        **limits,
        **context.ensure_object(dict),
    )
    _print_result("\n" + result.describe(), result.as_json(), json_file)
    if output is not None and json_file != "-":
        streams.say(f"Wrote '{output}'.")


@click.command(
    cls=Command,
    examples=(
        "tfxfer evaluate runs/photos-mobilenetv2",
        "tfxfer evaluate runs/photos-mobilenetv2 --data new_photos --split all",
    ),
)
@click.argument("model")
@click.option("--data", help=OTHER_DATA)
@click.option("--data-dir", help=_DATA_DIR)
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test", "all"]),
    help="Split to evaluate on.  [default: test if there is one, else validation, else all]",
)
@batch_size_option
@click.option("--json", "output", metavar="FILE", help=JSON_HELP)
def evaluate(
    model: str,
    data: str | None,
    data_dir: str | None,
    split: str | None,
    batch_size: int,
    output: str | None,
) -> None:
    """Evaluate a model on a split of its data or of other data.

    MODEL is a run, a .keras file, or an exported SavedModel.
    """
    _check_json(output, *files_of_model(model), *([data] if data else ()))
    with quiet_import():
        from tfxfer.api import evaluate as evaluation
    with quiet_libraries():
        result = evaluation.evaluate(
            model, data=data, data_dir=data_dir, split=split, batch_size=batch_size
        )
    _print_result(result.describe(), result.as_json(), output)


@click.command(
    cls=Command,
    examples=(
        "tfxfer report runs/photos-mobilenetv2",
        "tfxfer report runs/photos-mobilenetv2 runs/photos-resnet50",
    ),
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--output",
    metavar="FILE",
    help="HTML file to write.  [default: report.html in the run; comparison.html for several runs]",
)
@click.option("--data", help=OTHER_DATA)
@click.option("--data-dir", help=_DATA_DIR)
def report(
    runs: tuple[str, ...], output: str | None, data: str | None, data_dir: str | None
) -> None:
    """Write an HTML report about a run, or compare several runs.

    The report of a finished RUN shows its settings, training, metrics and mistakes. Several runs
    are shown side by side. The report is a single file that works offline.
    """
    with quiet_import():
        from tfxfer.api import report as reporting
    path = reporting.report(*runs, output=output, data=data, data_dir=data_dir, say=streams.say)
    streams.say(f"Wrote '{path}'.")


def _print_result(text: str, content: Any, output: str | None) -> None:
    """Prints a result as text and writes it as JSON to a file, or prints only JSON for "-"."""
    if output is not None:
        as_json = json.dumps(content, indent=2)
        if output == "-":
            streams.say(as_json)
            return
        try:
            write_text(output, as_json + "\n")
        except TfxferError as error:  # it was writable at the start
            streams.say(as_json)
            raise RunError(f"{error} The JSON was printed instead.") from None
    streams.say(text)


def _check_json(output: str | None, *read: str | pathlib.Path) -> None:
    """Raises a UsageError if the JSON cannot be written, or would overwrite an input."""
    if output is not None and output != "-":
        check_output(output, "--json", read, "text")
