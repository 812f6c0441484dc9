"""The command itself: what an error becomes, and the exit code."""

import signal
import sys
from collections.abc import Sequence
from typing import Any

import click

from tfxfer.errors import InterruptionError, OutputError, TfxferError
from tfxfer.system import streams
from tfxfer.system.notices import shown_by
from tfxfer.version import __version__


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
            with shown_by(streams.note):
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


@click.group(cls=_Door, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tfxfer")
def main() -> None:
    """Transfer learning for image classification: from labelled images to a model that serves."""
