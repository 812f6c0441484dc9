"""What a check has found: the record of it, as JSON and as a person reads it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.source import shown
from tfxfer.system.tables import padded, text_width

# How much of it the table for people shows.
_SHOWN_EXAMPLES, _SHOWN_CLASSES = 3, 20

_SHOWN_OF_GROUP = 5

# Of how many groups the JSON gives names, and how many of each: all are counted, but the names of
# a million images that look alike help no one.
NAMED_GROUPS, NAMED_OF_GROUP = 1000, 10


@dataclass(frozen=True)
class Affected:
    """What a finding is about: all are counted, the first few are named.

    Attributes:
        count: How many examples or, where they belong together, groups of them.
        num_examples: How many examples in all.
        named: The ids of some of them, each alone or with those it belongs together with.
        sizes: How many belong to each of those, named or not.
    """

    count: int = 0
    num_examples: int = 0
    named: tuple[tuple[str, ...], ...] = ()
    sizes: tuple[int, ...] = ()

    @classmethod
    def singly(cls, count: int, name: Callable[[int], str]) -> "Affected":
        """Returns so many, each alone.

        Args:
            count: How many there are.
            name: What each is called, by its place among them.
        """
        num_named = min(count, NAMED_GROUPS)
        named = tuple((name(place),) for place in range(num_named))
        return cls(count, count, named, (1,) * num_named)

    def describe(self) -> list[str]:
        """Returns lines on the first of them."""
        lines = []
        for names, size in zip(
            self.named[:_SHOWN_EXAMPLES], self.sizes[:_SHOWN_EXAMPLES], strict=True
        ):
            line = " = ".join(names[:_SHOWN_OF_GROUP])
            others = size - min(len(names), _SHOWN_OF_GROUP)
            lines.append(f"{line} and {others:,} others" if others else line)
        if self.count > len(lines):
            lines.append(f"and {self.count - len(lines):,} more")
        return lines


@dataclass(frozen=True)
class Finding:
    """Something that one should know about the data.

    Attributes:
        kind: One word or two for machines: "unreadable", "duplicates across splits".
        message: What was found.
        action: What `fit` does about it.
        blocks: Whether `fit` would stop.
        affected: What it is about.
    """

    kind: str
    message: str
    action: str
    blocks: bool = False
    affected: Affected = Affected()

    @property
    def examples(self) -> tuple[tuple[str, ...], ...]:
        """The examples that are named, each alone or with those it belongs together with."""
        return self.affected.named


@dataclass(frozen=True)
class CheckResult:
    """What was found out about data.

    Attributes:
        data: Their name.
        class_names: In the order of their numbers.
        counts: How many readable examples each split has of each class.
        findings: The worst first.
    """

    data: str
    class_names: tuple[str, ...]
    counts: Mapping[str, npt.NDArray[np.int64]]
    findings: tuple[Finding, ...]

    @property
    def blocks(self) -> bool:
        """Whether `fit` would stop."""
        return any(finding.blocks for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Returns all of it as JSON can write it."""
        return {
            "data": self.data,
            "blocks": self.blocks,
            "splits": {
                name: {
                    "num_examples": int(counts.sum()),
                    "classes": dict(zip(self.class_names, counts.tolist(), strict=True)),
                }
                for name, counts in self.counts.items()
            },
            "findings": [
                {
                    "kind": finding.kind,
                    "blocks": finding.blocks,
                    "message": finding.message,
                    "action": finding.action,
                    "count": finding.affected.count,
                    "num_examples": finding.affected.num_examples,
                    "examples": [list(group) for group in finding.affected.named],
                    "sizes": list(finding.affected.sizes),
                }
                for finding in self.findings
            ],
        }

    def describe(self) -> str:
        """Returns it as a person reads it: a table of the examples, then the findings."""
        return "\n".join([*self._table(), "", *self._findings()])

    def _table(self) -> list[str]:
        names = [shown(name) for name in self.class_names[:_SHOWN_CLASSES]]
        width = max(map(text_width, (*names, "all classes", self.data))) + 2
        lines = [padded(self.data, width) + "".join(f"{name:>12s}" for name in self.counts)]
        for label, name in enumerate(names):
            numbers = "".join(f"{counts[label]:12,d}" for counts in self.counts.values())
            lines.append(f"{padded(name, width)}{numbers}")
        if len(names) < len(self.class_names):
            lines.append(f"... and {len(self.class_names) - len(names):,} classes more")
        totals = "".join(f"{counts.sum():12,d}" for counts in self.counts.values())
        return [*lines, f"{padded('all classes', width)}{totals}"]

    def _findings(self) -> list[str]:
        if not self.findings:
            return ["Nothing to complain of."]
        lines = []
        for finding in self.findings:
            lines.append(f"{'STOPS' if finding.blocks else 'note '}  {finding.message}")
            lines += [f"         {line}" for line in finding.affected.describe()]
            lines.append(f"       fit: {finding.action}")
        number = sum(finding.blocks for finding in self.findings)
        verdict = f"{number} of these would stop a fit." if number else "None of these stops a fit."
        return [*lines, "", verdict]
