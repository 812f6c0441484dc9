"""The `tfxfer` command: how errors are shown, and exit codes."""

import gc
import signal
import sys
from collections.abc import Sequence
from typing import Any

import click

from tfxfer.cli.formatting import Group
from tfxfer.errors import InterruptionError, OutputError, TfxferError
from tfxfer.system import streams
from tfxfer.system.notices import shown_by
from tfxfer.version import __version__


class _Main(Group):
    """Turns errors that users can cause into one line and an exit code."""

    def main(self, args: Sequence[str] | None = None, *others: Any, **options: Any) -> Any:
        if args is None:  # run from a shell, not from a test
            streams.prepare()
        try:
            try:
                return super().main(args, *others, **options)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
                if args is None:  # the process ends: to collect its graphs first takes a second
                    gc.freeze()
        except OutputError as error:
            _print_error(error)
            sys.exit(error.exit_code)

    def invoke(self, context: click.Context) -> Any:
        streams.escape_what_cannot_be_encoded()
        try:
            with shown_by(streams.note):
                return super().invoke(context)
        except OutputError:  # handled in `main`, which also sees those raised outside of commands
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
    """Prints an error. One without a message was printed before, or nobody reads the output."""
    if str(error):
        streams.tell(f"Error: {error}")


@click.group(
    cls=_Main,
    context_settings={"help_option_names": ["-h", "--help"]},
    examples=(
        "tfxfer check photos",
        "tfxfer fit --data photos --backbone mobilenetv2",
    ),
)
@click.version_option(__version__, prog_name="tfxfer", help="Show the version and exit.")
def main() -> None:
    """Transfer learning for image classification, from labeled images to a served model.

    `tfxfer COMMAND --help` shows the options of a command.
    """
