"""Startup time of commands: help, imports, the plan of a fit.

    python benchmarks/startup.py

Whole processes, in alternation, after one warm-up run of each.
"""

import sys

import measuring
from measuring import TFXFER

COMMANDS = {
    "tfxfer --help": [TFXFER, "--help"],
    "tfxfer backbones": [TFXFER, "backbones"],
    'python -c "import tfxfer"': [sys.executable, "-c", "import tfxfer"],
    'python -c "import tensorflow"': [sys.executable, "-c", "import tensorflow"],
    "tfxfer fit --dry-run --data digits --backbone resnet10_small": [
        *(TFXFER, "fit", "--dry-run", "--data", "digits", "--backbone", "resnet10_small")
    ],
}


def main() -> None:
    """Prints the median and range of each command."""
    options = measuring.command_line(__doc__, repeats=5).parse_args()
    facts = measuring.facts()
    for command in COMMANDS.values():
        measuring.run(command)
    repeats = [
        {name: measuring.run(command).totals() for name, command in COMMANDS.items()}
        for _ in range(options.repeats)
    ]
    columns = {
        "seconds": {name: [run[name]["wall_seconds"] for run in repeats] for name in COMMANDS}
    }
    measuring.print_table(columns, dict.fromkeys(COMMANDS, 2))
    measuring.write_json(options.json, **facts, medians=measuring.medians(columns), repeats=repeats)


if __name__ == "__main__":
    main()
