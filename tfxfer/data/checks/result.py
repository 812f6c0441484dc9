"""The result of a check, as a record, as JSON and as text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.checks.by_features import FeatureFindings
from tfxfer.data.source import shown
from tfxfer.system.tables import padded, text_width

# How much of it the text shows.
_SHOWN_EXAMPLES, _SHOWN_CLASSES = 3, 20

_SHOWN_OF_GROUP = 5

# How many groups are named in the JSON, and how many images of each. All are counted, but the
# names of a million near-duplicates help no one.
NAMED_GROUPS, NAMED_OF_GROUP = 1000, 10


@dataclass(frozen=True)
class Affected:
    """The examples that a finding is about: all are counted, the first few are named.

    Attributes:
        count: Number of groups; an example that belongs to no other is a group of one.
        num_examples: Number of examples in total.
        named: The ids of the examples of the first groups.
        sizes: The size of each of these groups, including examples that are not named.
    """

    count: int = 0
    num_examples: int = 0
    named: tuple[tuple[str, ...], ...] = ()
    sizes: tuple[int, ...] = ()

    @classmethod
    def singly(cls, count: int, name: Callable[[int], str]) -> "Affected":
        """Returns a number of items as groups of one.

        Args:
            count: Number of items.
            name: Returns the name of an item by its index, from 0.
        """
        num_named = min(count, NAMED_GROUPS)
        named = tuple((name(place),) for place in range(num_named))
        return cls(count, count, named, (1,) * num_named)

    @classmethod
    def of_groups(cls, groups: Sequence[Sequence[str]]) -> "Affected":
        """Returns groups of examples by their ids; see `NAMED_GROUPS`."""
        named = groups[:NAMED_GROUPS]
        return cls(
            len(groups),
            sum(map(len, groups)),
            tuple(tuple(group[:NAMED_OF_GROUP]) for group in named),
            tuple(map(len, named)),
        )

    def describe(self) -> list[str]:
        """Returns a line for each of the first groups."""
        lines = []
        for names, size in zip(
            self.named[:_SHOWN_EXAMPLES], self.sizes[:_SHOWN_EXAMPLES], strict=True
        ):
            line = " = ".join(names[:_SHOWN_OF_GROUP])
            others = size - min(len(names), _SHOWN_OF_GROUP)
            lines.append(f"{line} and {others:,} other{'s' * (others > 1)}" if others else line)
        if self.count > len(lines):
            lines.append(f"and {self.count - len(lines):,} more")
        return lines


@dataclass(frozen=True)
class Finding:
    """A problem or fact found in the data.

    Attributes:
        kind: A stable, machine-readable name: "unreadable", "duplicates across splits".
        message: What was found.
        action: What `fit` does about it.
        blocks: Whether `fit` would stop.
        affected: The examples it is about.
    """

    kind: str
    message: str
    action: str
    blocks: bool = False
    affected: Affected = Affected()

    @property
    def examples(self) -> tuple[tuple[str, ...], ...]:
        """The named examples, group by group."""
        return self.affected.named


@dataclass(frozen=True)
class CheckResult:
    """The result of checking data.

    Attributes:
        data: Name of the data.
        class_names: In the order of the labels.
        counts: Number of readable examples per class, or with each label, by split.
        findings: Those that stop `fit` first.
        num_images: Number of readable examples by split.
        by_features: What the features of a backbone tell; None if no backbone was named.
        is_special: Whether an example has anything but one class.
    """

    data: str
    class_names: tuple[str, ...]
    counts: Mapping[str, npt.NDArray[np.int64]]
    findings: tuple[Finding, ...]
    num_images: Mapping[str, int]
    by_features: FeatureFindings | None = None
    is_special: bool = False

    @property
    def blocks(self) -> bool:
        """Whether `fit` would stop."""
        return any(finding.blocks for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Returns the result in types that JSON has."""
        return {
            "data": self.data,
            "blocks": self.blocks,
            "splits": {
                name: {
                    "num_examples": self.num_images[name],
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
            **(self.by_features.as_json() if self.by_features else {}),
        }

    def describe(self) -> str:
        """Returns the result as text: a table of class counts, the findings, those by features."""
        told = ["", *self.by_features.describe()] if self.by_features else []
        return "\n".join([*self._table(), "", *self._findings(), *told])

    def _table(self) -> list[str]:
        names = [shown(name) for name in self.class_names[:_SHOWN_CLASSES]]
        width = max(map(text_width, (*names, "all classes", self.data))) + 2
        lines = [padded(self.data, width) + "".join(f"{name:>12s}" for name in self.counts)]
        for label, name in enumerate(names):
            numbers = "".join(f"{counts[label]:12,d}" for counts in self.counts.values())
            lines.append(f"{padded(name, width)}{numbers}")
        if len(names) < len(self.class_names):
            lines.append(f"... and {len(self.class_names) - len(names):,} more classes")
        totals = "".join(f"{number:12,d}" for number in self.num_images.values())
        what = "all images" if self.is_special else "all classes"
        return [*lines, f"{padded(what, width)}{totals}"]

    def _findings(self) -> list[str]:
        if not self.findings:
            return ["No problems found."]
        lines = []
        for finding in self.findings:
            lines.append(f"{'ERROR' if finding.blocks else 'note '}  {finding.message}")
            lines += [f"         {line}" for line in finding.affected.describe()]
            lines.append(f"       fit: {finding.action}")
        number = sum(finding.blocks for finding in self.findings)
        errors = f"{number} error" + "s" * (number != 1)
        verdict = f"fit would stop: {errors}." if number else "No errors: fit can use these data."
        return [*lines, "", verdict]
