"""What all processes of a team must have alike."""

import json
from collections.abc import Mapping

from tfxfer.errors import UsageError
from tfxfer.system.processes.team import current


def check_same(facts: Mapping[str, str]) -> None:
    """Raises a UsageError in all processes unless they have the same facts.

    Args:
        facts: By what they are called in the message.
    """
    team = current()
    if team.count == 1:
        return
    first, *others = map(json.loads, team.from_all(json.dumps(dict(facts))))
    for number, theirs in enumerate(others, start=1):
        for what, value in theirs.items():
            if value != first.get(what):
                who = team.describe(number)
                raise UsageError(
                    f"{who[0].upper()}{who[1:]} has the {what} {value}, process 0 "
                    f"{first.get(what)}. Give all processes the same command, data and software."
                )
