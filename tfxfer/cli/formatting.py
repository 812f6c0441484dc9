"""How `--help` looks: options and commands under headings, and examples at the end."""

from collections.abc import Sequence
from typing import Any

import click

# The heading of the options that most people need; those of the other headings are advanced.
COMMON = "Common options"

_OTHER = "Options"


class Option(click.Option):
    """An option that is shown under a heading.

    Args:
        *names: As for `click.Option`.
        heading: Where `--help` shows it.
        **settings: As for `click.Option`.
    """

    def __init__(self, *names: Any, heading: str = COMMON, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.heading = heading


class Command(click.Command):
    """A command whose help has its options under headings and ends with examples.

    Args:
        *names: As for `click.Command`.
        examples: Command lines, each of which fits a line.
        headings: Of the options, in their order; what has none of these comes last.
        **settings: As for `click.Command`.
    """

    def __init__(
        self,
        *names: Any,
        examples: Sequence[str] = (),
        headings: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        super().__init__(*names, **settings)
        self.examples = tuple(examples)
        self._headings = tuple(headings)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options under their headings."""
        for heading in (*self._headings, _OTHER):
            rows = [
                row
                for parameter in self.get_params(ctx)
                if not isinstance(parameter, click.Argument)
                and self._heading_of(parameter) == heading
                and (row := parameter.get_help_record(ctx)) is not None
            ]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the examples."""
        _write_examples(formatter, self.examples)

    def _heading_of(self, parameter: click.Parameter) -> str:
        heading = getattr(parameter, "heading", _OTHER)
        return heading if heading in self._headings else _OTHER


class Group(click.Group):
    """A group whose help has its commands under headings and ends with examples.

    Args:
        *names: As for `click.Group`.
        examples: Command lines, each of which fits a line.
        **settings: As for `click.Group`.
    """

    def __init__(self, *names: Any, examples: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.examples = tuple(examples)
        self._sections: dict[str, list[click.Command]] = {}

    def add_section(self, heading: str, *commands: click.Command) -> None:
        """Adds commands that are shown under a heading."""
        self._sections[heading] = list(commands)
        for command in commands:
            self.add_command(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands under their headings, all descriptions in one column."""
        width = max(len(command) for command in self.commands)
        for heading, commands in self._sections.items():
            with formatter.section(heading):
                limit = formatter.width - formatter.current_indent - width - 2
                formatter.write_dl(
                    [
                        (f"{command.name:{width}s}", command.get_short_help_str(limit))
                        for command in commands
                    ]
                )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the examples."""
        _write_examples(formatter, self.examples)


def _write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """Writes command lines as they are, so that each can be copied."""
    if examples:
        with formatter.section("Examples"):
            for example in examples:
                formatter.write(f"{'':{formatter.current_indent}s}{example}\n")
