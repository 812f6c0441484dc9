"""The door: each command parses, calls one verb, prints."""

import contextlib
import functools
import json
import os
import pathlib
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, TypeVar

import click

import tfxfer
from tfxfer import streams
from tfxfer.allocator import keep_freed_memory
from tfxfer.backbones import BACKBONES, Backbone, find_backbone
from tfxfer.config import (
    AnyConfig,
    FitConfig,
    PretrainConfig,
    RunConfig,
    read_recipe,
    setting_field,
    setting_keys,
    setting_types,
)
from tfxfer.errors import InterruptionError, OutputError, RunError, TfxferError, UsageError
from tfxfer.keras_settings import check_keras, expand_variables
from tfxfer.notices import shown_by
from tfxfer.outputs import check_output
from tfxfer.paths import user_path
from tfxfer.preflight import check_settings
from tfxfer.progress import readable_bytes, readable_seconds
from tfxfer.run_directory import files_of_model, run_to_resume, write_text

# TensorFlow takes seconds to import, so the verbs that need it are imported inside the commands.

Command = TypeVar("Command", bound=Callable[..., Any])


class _Door(click.Group):
    """Turns the errors a user can meet into one line and an exit code."""

    def main(self, args: Sequence[str] | None = None, *others: Any, **options: Any) -> Any:
        if args is None:  # then the process is this command's
            streams.prepare()
        try:
            try:
                return super().main(args, *others, **options)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
        except OutputError as error:
            _print_error(error)
            sys.exit(error.exit_code)

    def invoke(self, context: click.Context) -> Any:
        streams.escape_what_cannot_be_encoded()
        try:
            with shown_by(streams.tell):
                return super().invoke(context)
        except OutputError:  # `main` sees those that come up outside of commands, too
            raise
        except InterruptionError as error:
            streams.tell(str(error))
            context.exit(error.exit_code)
        except TfxferError as error:
            _print_error(error)
            context.exit(error.exit_code)
        except KeyboardInterrupt:
            context.exit(128 + signal.SIGINT)


def _print_error(error: TfxferError) -> None:
    """Prints an error, unless it has no message: the user was told before, or has left."""
    if str(error):
        streams.tell(f"Error: {error}")


# What each setting does, with its unit where the name does not say it. `momentum` is said of every
# section that has no `head.momentum` of its own.
_MEANINGS = {
    "data": "A folder with one folder per class, a manifest (.csv, .jsonl), TFRecord files, a name "
    "of TFDS, 'hf:' and one of Hugging Face, or 'digits'.",
    "data_dir": "Where TFDS data lie  [default: TFDS_DATA_DIR, else TFDS's own]",
    "validation_fraction": "Share of the images carved for validation where there is none.",
    "test_fraction": "Share carved for the test where the data have no splits at all.",
    "train_examples": "Train on at most this many images, the same share of each class.",
    "validation_examples": "Likewise for validation.",
    "test_examples": "Likewise for the test.",
    "bad_images": "Images that cannot be read: stop before the work begins, or leave them out.",
    "backbone": "Network; `tfxfer backbones` lists them.",
    "weights": "'none', or a .h5, .weights.h5 or .keras file  [default: the backbone's own]",
    "class_weights": "'balanced' counts each class the same, however few its images.",
    "image_size": "Pixels of the square image that the backbone sees.",
    "input_size": "Pixels of the square image that the model takes and upsamples.",
    "batch_size": "Images per step.",
    "label_smoothing": "Share of the target spread over all classes.",
    "precision": "Arithmetic of the backbone.",
    "xla": "Compile the train steps: takes a minute; on a GPU they are then twice as fast.",
    "memory_gigabytes": "Most memory for images, and as much again for what is computed of them.",
    "cache_gigabytes": "Most disk for the features and images of all runs; 0 keeps none.",
    "cache_dir": "Where these are  [default: TFXFER_CACHE_DIR, else ~/.cache/tfxfer]",
    "seed": "Decides the splits, the order, the augmentation and the initial weights.",
    "checkpoint_minutes": "Write the state down so often within an epoch; 0 only at its end.",
    "max_minutes": "Train no longer than about this, with a schedule to suit  [default: no limit]",
    "run": "Name of the run  [default: made from data and backbone]",
    "runs_dir": "Where runs go.",
    "export_dir": "Where exports go.",
    "calibrate": "Have the model give probabilities that agree with how often it is right.",
    "min_accuracy": "Export nothing less accurate, on the test split or else validation.",
    "compare_scratch": "Train from random weights, too, and say what transfer was worth.",
    "compare_examples": "Compare on so many training images  [default: all]",
    "compare_epochs": "Epochs from random weights  [default: the budget of the pretrained]",
    "epochs": "Passes over the training images.",
    "head.epochs": "Epochs with the backbone frozen.",
    "finetune.epochs": "Epochs with the backbone unfrozen.",
    "optimizer": "Update rule.",
    "learning_rate": "Peak learning rate.",
    "warmup_epochs": "Epochs until the peak.",
    "decay": "What the rate does after the peak.",
    "momentum": "Of sgd.",
    "nesterov": "Nesterov's momentum for sgd.",
    "weight_decay": "Decoupled weight decay.",
    "clip_norm": "Largest global gradient norm; 0 clips nothing.",
    "head.optimizer": "Update rule; lbfgs solves a head without hidden layers to its end.",
    "head.penalty": "Of the squared weights, for lbfgs  [default: chosen on validation]",
    "head.augmented_views": "Changed views of each image that the head learns from, too.",
    "head.pooling": "From feature maps to features.",
    "head.hidden_units": "Units of a hidden layer; repeat it for several.",
    "head.dropout": "Share of the features dropped in training.",
    "finetune.unfreeze": "'all', 'none', or the first stage trained.",
    "finetune.batch_norm": "'frozen' keeps its statistics; 'adapt' lets them learn.",
    "finetune.patience": "Stop after so many epochs without a better one; 0 never.",
    "augment.flip": "Mirror half of the images.",
    "augment.shift": "Shift by up to this part of the side.",
    "augment.zoom": "Zoom in or out by up to this part.",
    "augment.rotation": "Rotate by up to this many degrees.",
}
_SHORT_NAMES = {"finetune.unfreeze": "--unfreeze", "finetune.batch_norm": "--batch-norm"}


_RESUME = (
    "Go on with an interrupted run, under its own settings; --data says where its data are now."
)
_OTHER_DATA = (
    "A data set, as for fit, or where the run's own was moved to  [default: the run's own]"
)


def settings_of(record: type[RunConfig]) -> Callable[[Command], Command]:
    """Returns what gives a command an option for each setting of a record, and for a recipe."""

    def decorate(command: Command) -> Command:
        for key in reversed(list(setting_keys(record))):
            command = _setting(record, key)(command)
        return click.option(
            "--config",
            "recipe",
            metavar="FILE",
            help="A recipe (TOML); options on the command line win over it.",
        )(command)

    return decorate


def _setting(record: type[RunConfig], key: str) -> Callable[[Command], Command]:
    """Returns an option with the type and default of its field; `head.epochs` is --head-epochs."""
    (kind, *_) = allowed = setting_types(record, key)
    default = setting_field(record, key).default
    several = default == ()
    names = ["--" + key.replace(".", "-").replace("_", "-")]
    names += [_SHORT_NAMES[key]] if key in _SHORT_NAMES else []
    meaning = _MEANINGS.get(key) or _MEANINGS[key.rpartition(".")[2]]
    shown = "" if default in (None, "", ()) or default is False else f"  [default: {default}]"
    return click.option(
        *names,
        type=click.Choice(allowed) if isinstance(kind, str) else int if several else kind,
        is_flag=default is False,
        multiple=several,
        default=None,
        expose_value=False,
        callback=functools.partial(_collect, key),
        help=meaning + shown,
    )


def _collect(key: str, context: click.Context, _: click.Parameter, value: Any) -> None:
    """Keeps a value that the user gave, nested as in a recipe, for the command to read."""
    if value is None or value == ():
        return
    settings = context.ensure_object(dict)
    *sections, name = key.split(".")
    for section in sections:
        settings = settings.setdefault(section, {})
    settings[name] = list(value) if isinstance(value, tuple) else value


def _settings(
    context: click.Context, recipe: str | None, defaults: AnyConfig, resume: str | None = None
) -> AnyConfig:
    """Returns the settings a command is to work with: defaults < recipe < command line, checked.

    Where a run is to be gone on with, its settings are the defaults.
    """
    if resume is not None:
        defaults = read_recipe(str(run_to_resume(resume).config), defaults)
    config = read_recipe(recipe, defaults) if recipe else defaults
    config = config.with_settings(context.ensure_object(dict))
    if resume is None:
        check_settings(config)
    return config


@click.group(cls=_Door, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(tfxfer.__version__, prog_name="tfxfer")
def main() -> None:
    """Transfer learning for image classification: from labelled images to a model that serves."""


@main.command()
@settings_of(FitConfig)
@click.option("--resume", metavar="RUN", help=_RESUME)
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.pass_context
def fit(context: click.Context, recipe: str | None, resume: str | None, dry_run: bool) -> None:
    """Train a classifier on a pretrained backbone and export it.

    What is left open is decided from the size of the data and of the images, and printed first. The
    same command again goes on with a run that was interrupted.
    """
    config = _settings(context, recipe, FitConfig(), resume)
    with _quiet_import():
        from tfxfer import training
    if dry_run:
        streams.say(training.describe_plan(config, resume=resume))
    else:
        training.fit(config, resume=resume, say=streams.say)
        streams.check_printed()


@main.command()
@settings_of(PretrainConfig)
@click.option("--resume", metavar="RUN", help=_RESUME)
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.pass_context
def pretrain(context: click.Context, recipe: str | None, resume: str | None, dry_run: bool) -> None:
    """Train a backbone from scratch, for `tfxfer fit --weights` to transfer.

    The same command again goes on with a run that was interrupted.
    """
    config = _settings(context, recipe, PretrainConfig(), resume)
    with _quiet_import():
        from tfxfer import pretraining
    if dry_run:
        streams.say(pretraining.describe_plan(config, resume=resume))
    else:
        pretraining.pretrain(config, resume=resume, say=streams.say)
        streams.check_printed()


@main.command()
@click.argument("data")
@click.option("--data-dir", help=_MEANINGS["data_dir"])
@click.option(
    "--bad-images",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="What fit is told to do about images that cannot be read.",
)
@click.option("--json", "output", metavar="FILE", help="Write all of it as JSON, too; - for here.")
@click.pass_context
def check(
    context: click.Context, data: str, data_dir: str | None, bad_images: Any, output: str | None
) -> None:
    """Look at every image of DATA, and say what is wrong with them and what fit does about it.

    DATA is what fit takes: a folder, a manifest, TFRecord files, the name of a data set. The exit
    code is 1 if a fit would stop.
    """
    _check_json(output, data)
    with _quiet_import():
        from tfxfer import checking
    result = checking.check(data, data_dir=data_dir, bad_images=bad_images)
    _print_result(result.describe(), result.as_json(), output)
    if result.blocks:
        context.exit(1)


@main.command()
@click.argument("model")
@click.option("--data", help=_OTHER_DATA)
@click.option("--data-dir", help="Where TFDS data lie.")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test", "all"]),
    help="Which images  [default: test, or validation where there is no test, else all]",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--json", "output", metavar="FILE", help="Write all of it as JSON, too; - for here.")
def evaluate(
    model: str,
    data: str | None,
    data_dir: str | None,
    split: str | None,
    batch_size: int,
    output: str | None,
) -> None:
    """Evaluate MODEL, every image once: a run, a .keras file, or a SavedModel that export made."""
    _check_json(output, *files_of_model(model), *([data] if data else ()))
    with _quiet_import():
        from tfxfer import evaluation
    result = evaluation.evaluate(
        model, data=data, data_dir=data_dir, split=split, batch_size=batch_size
    )
    _print_result(result.describe(), result.as_json(), output)


@main.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--output",
    metavar="FILE",
    help="The page  [default: report.html in the run; for several runs comparison.html here]",
)
@click.option("--data", help=_OTHER_DATA)
@click.option("--data-dir", help="Where TFDS data lie.")
def report(
    runs: tuple[str, ...], output: str | None, data: str | None, data_dir: str | None
) -> None:
    """Write a page on a finished RUN: what it did, how good it is, and what it gets wrong.

    Of several runs, a page that shows them side by side. It is one file that needs no network. A
    page that goes elsewhere than into the run leaves the run as it is.
    """
    with _quiet_import():
        from tfxfer import reporting
    path = reporting.report(*runs, output=output, data=data, data_dir=data_dir, say=streams.say)
    streams.say(f"Wrote '{path}'.")


@main.command()
@click.argument("model")
@click.argument("paths", nargs=-1, required=True)
@click.option("--top", type=click.IntRange(min=1), default=1, show_default=True, help="Classes.")
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "csv", "jsonl", "parquet"]),
    default="table",
    show_default=True,
    help="For people, or for machines.",
)
@click.option("--output", metavar="FILE", help="Write to a file  [default: here]")
@click.pass_context
def predict(
    context: click.Context,
    model: str,
    paths: tuple[str, ...],
    top: int,
    batch_size: int,
    kind: Any,
    output: str | None,
) -> None:
    """Classify image files with MODEL: a run, a .keras file, or a SavedModel that export made.

    A .keras (or whole-model .h5) file need not be of tfxfer. It takes square images, RGB in
    [0, 255] or grey, and gives probabilities or logits of the classes in the classes.txt beside it,
    one per line; for two classes also one unit, which is that of the second.

    PATHS are files, folders with all the images in and below them, patterns such as 'a/**/*.jpg',
    and - for a list on standard input, a file on each line. A file that cannot be read is reported
    and the others are still done; the exit code is then 1.
    """
    output = None if output == "-" else output
    if kind == "parquet" and output is None:
        raise UsageError("Format 'parquet' goes into a file: say which with --output.")
    if output is not None:
        check_output(output, "--output", [*files_of_model(model), *paths])
    with _quiet_import():
        from tfxfer import listing, prediction
    if kind == "parquet":
        listing.check_parquet()
    listed = streams.read_list() if "-" in paths else []
    named = [path for path in paths if path != "-"]
    counts = {"files": 0, "unreadable": 0}

    def note(line: str) -> None:
        streams.tell(f"Note: {line}")

    def counted() -> Iterator[Any]:
        for one in prediction.predict(
            model, named, listed=listed, top=top, batch_size=batch_size, say=note
        ):
            counts["files"] += 1
            if one.error:
                counts["unreadable"] += 1
                streams.tell(f"Error: {one.path}: {one.error}")
            yield one

    if output is None:
        listing.write(counted(), kind, top, sys.stdout)
    else:
        listing.write_file(counted(), kind, top, user_path(output), otherwise=sys.stdout)
        streams.say(f"Wrote '{output}', {counts['files']:,} files.")
    if counts["unreadable"]:
        streams.tell(
            f"Error: {counts['unreadable']:,} of the {counts['files']:,} files could not be read."
        )
        context.exit(1)


@main.command()
@click.argument("model")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["saved_model", "litert", "onnx", "keras"]),
    default="saved_model",
    show_default=True,
    help="What others run.",
)
@click.option("--name", help="Of the model on the server  [default: the run's]")
@click.option("--export-dir", help="Where exports go  [default: the run's own place]")
@click.option("--data", help=_OTHER_DATA)
@click.option("--data-dir", help="Where TFDS data lie.")
@click.option("--calibrate", is_flag=True, help=_MEANINGS["calibrate"])
@click.option(
    "--min-accuracy",
    type=click.FloatRange(0, 1),
    default=0.0,
    help=_MEANINGS["min_accuracy"],
)
@click.option(
    "--keep", type=click.IntRange(min=1), help="Remove all versions but so many  [default: none]"
)
@click.option(
    "--quantization",
    type=click.Choice(["none", "float16", "int8"]),
    default="none",
    show_default=True,
    help="Of litert: weights in half or a quarter of the space.",
)
@click.option("--output", help="Of the other formats: the file  [default: beside the model]")
def export(
    model: str,
    kind: Any,
    name: str | None,
    export_dir: str | None,
    data: str | None,
    data_dir: str | None,
    calibrate: bool,
    min_accuracy: float,
    keep: int | None,
    quantization: Any,
    output: str | None,
) -> None:
    """Publish MODEL, a run's directory or a .keras file, as others run it.

    Of a saved_model a new version for TensorFlow Serving appears, once it was found to answer as
    the model does; how to serve it and how to ask it is printed. The other formats are files that
    take RGB in [0, 255] of the model's size; they are compared with the model, too, and what they
    lose is told.
    """
    if kind != "saved_model":
        for_serving = {
            "--name": name,
            "--export-dir": export_dir,
            "--keep": keep,
            "--calibrate": calibrate,
            "--min-accuracy": min_accuracy,
        }
        _refuse(f"goes with --format saved_model, not with {kind}", for_serving)
    else:
        _refuse("goes with another --format than saved_model", {"--output": output})
        _refuse(
            "goes with --format litert",
            {"--quantization": quantization if quantization != "none" else None},
        )
    with _quiet_import():
        from tfxfer import clients
        from tfxfer import export as exporting
    if kind != "saved_model":
        made = exporting.convert(
            model,
            kind,
            output=output,
            quantization=quantization,
            data=data,
            data_dir=data_dir,
            say=streams.say,
        )
        streams.say(
            f"Wrote '{made.path}', {readable_bytes(made.path.stat().st_size)}.\n"
            f"accuracy {made.accuracy:.4f}, the model's {made.model_accuracy:.4f}, on "
            f"{made.num_images:,} {made.split} images; the same class for {made.agreement:.1%}, "
            f"probabilities within {made.difference:.1g}"
        )
        return
    version = exporting.export(
        model,
        name=name,
        export_dir=export_dir,
        data=data,
        data_dir=data_dir,
        calibrate=calibrate,
        min_accuracy=min_accuracy,
        keep=keep,
        say=streams.say,
    )
    streams.say(f"Published '{version}'.\n\n{clients.how_to_serve(version)}")


@main.command()
@click.argument("name", required=False)
def backbones(name: str | None) -> None:
    """List the pretrained networks, or show one with its stages."""
    if name is None:
        streams.say(f"{'name':20s} {'pixels':>6s} {'features':>9s} {'parameters':>12s}  paper")
        for backbone in BACKBONES.values():
            streams.say(
                f"{backbone.name:20s} {backbone.native_size:6d} {backbone.num_features:9,d} "
                f"{backbone.num_parameters:12,d}  {backbone.paper}"
            )
    else:
        streams.say(_describe_backbone(find_backbone(name)))


@main.command()
@click.option("--clear", is_flag=True, help="Remove all of it.")
@click.option("--cache-dir", help=_MEANINGS["cache_dir"])
def cache(clear: bool, cache_dir: str | None) -> None:
    """List what is kept between runs: features of frozen backbones, decoded images."""
    # NumPy, which the other commands that answer at once do without.
    from tfxfer.cache import Cache, default_cache_dir

    if cache_dir is None:
        default_cache_dir()  # where there is none, that is the answer
    kept = Cache.of(RunConfig(cache_dir=cache_dir))
    if clear:
        streams.say(f"Removed {readable_bytes(kept.clear())} from '{kept.directory}'.")
        return
    entries = kept.entries()
    for entry in reversed(entries):
        age = readable_seconds(max(0.0, time.time() - entry.used))
        streams.say(
            f"{entry.kind:8s}  {readable_bytes(entry.num_bytes):>8s}  {entry.num_rows:>9,} rows  "
            f"used {age} ago  {entry.about.get('what', '')}"
        )
    total = readable_bytes(sum(entry.num_bytes for entry in entries))
    streams.say(f"{total} in '{kept.directory}'. `tfxfer cache --clear` removes it.")


def _print_result(text: str, content: Any, output: str | None) -> None:
    """Prints a result for people or, where the output is "-", as JSON; writes it to a file, too."""
    if output is not None:
        as_json = json.dumps(content, indent=2)
        if output == "-":
            streams.say(as_json)
            return
        try:
            write_text(output, as_json + "\n")
        except TfxferError as error:  # it could be written when the work began
            streams.say(as_json)
            raise RunError(f"{error} The JSON was printed instead.") from None
    streams.say(text)


def _check_json(output: str | None, *read: str | pathlib.Path) -> None:
    """Raises a UsageError unless a result can be written as JSON; what is read must stay."""
    if output is not None and output != "-":
        check_output(output, "--json", read)


def _refuse(why: str, options: dict[str, Any]) -> None:
    """Raises a UsageError if one of the options was given."""
    given = [name for name, value in options.items() if value]
    if given:
        raise UsageError(f"Option {given[0]} {why}.")


def _describe_backbone(backbone: Backbone) -> str:
    normalised = {
        "caffe": "BGR, ImageNet's mean subtracted",
        "symmetric": "[-1, 1]",
        "torch": "ImageNet's mean and deviation",
        "inside": "by the network's own first layers",
    }
    rows = {
        "builder": f"{backbone.module}.{backbone.builder}",
        "native size": f"{backbone.native_size} pixels, at least {backbone.min_size}",
        "features": f"{backbone.num_features:,}",
        "parameters": f"{backbone.num_parameters:,} without the classifier",
        "normalised": f"{normalised[backbone.pixels]} (inside the model: feed RGB in [0, 255])",
        "BatchNorm": "yes" if backbone.batch_norm else "no",
        "stages": ", ".join(backbone.stage_names),
        "weights": f"{backbone.weights_name}, {backbone.licence}"
        + (", comes with tfxfer" if backbone.bundled else ""),
        "paper": backbone.paper,
    }
    return "\n".join([backbone.name, *(f"  {name:13s}{text}" for name, text in rows.items())])


@contextlib.contextmanager
def _quiet_import() -> Iterator[None]:
    """Keeps TensorFlow's notices off the screen, and memory that it frees for its next operation.

    If the import fails the notices are shown.

    Those of the start are written by native code before any logging level is looked at
    (TF_CPP_MIN_LOG_LEVEL does not stop them in TensorFlow 2.21), so standard error itself is put
    aside meanwhile.
    """
    expand_variables()
    check_keras()
    keep_freed_memory()
    streams.occupy_closed_descriptors()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    streams.write_to_stderr("")
    kept = os.dup(2)
    with _scratch_file() as notices:
        os.dup2(notices.fileno(), 2)
        try:
            import absl.logging
            import tensorflow as tf

            absl.logging.set_verbosity("error")
            tf.get_logger().setLevel("ERROR")
            tf.config.list_physical_devices()  # the search for GPUs has notices of its own
            yield
        except BaseException:
            notices.seek(0)
            with contextlib.suppress(OSError):  # standard error may be full, or its reader gone
                os.write(kept, notices.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _scratch_file() -> IO[bytes]:
    """Returns an empty file that goes when it is closed, in memory where no disk can be written."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return os.fdopen(os.memfd_create("notices"), "w+b")
