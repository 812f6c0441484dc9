"""How the labels of data are to be read: as one class, as several, as tasks, or as a number.

What is a column of a manifest is a feature of a dataset of a library or of TFRecord files.
"""

from dataclasses import dataclass
from typing import Self

from tfxfer.config.schema import LABEL_SEPARATOR, LabelKind, RunConfig


@dataclass(frozen=True)
class LabelReading:
    """How labels are to be read.

    Attributes:
        kind: "single" is one class for each image, "multi" any number of labels; "auto" decides by
            the data.
        separator: What separates the labels in a cell of a manifest.
        columns: The columns of a manifest that are labels, with 0 or 1; empty if there are none.
        tasks: The columns of a manifest that are tasks, each with a class; empty if there are none.
        target: The column of a manifest that has a number for each image; empty if there is none.
        is_preference: Whether any other reading will do, too.
        are_replaced: Whether other labels take their place: then no image is left out for the
            lack of one.
    """

    kind: LabelKind = "auto"
    separator: str = LABEL_SEPARATOR
    columns: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    target: str = ""
    is_preference: bool = False
    are_replaced: bool = False

    @classmethod
    def of(cls, config: RunConfig) -> Self:
        """Returns how the labels of a run are to be read."""
        return cls(
            config.labels,
            config.label_separator,
            config.names_of_label_columns,
            config.names_of_tasks,
            config.target or "",
        )

    @property
    def own_columns(self) -> tuple[str, ...]:
        """The columns of a manifest that are named as its labels; empty if none are."""
        return self.columns or self.tasks or ((self.target,) if self.target else ())

    @property
    def asks_for_several(self) -> bool:
        """Whether only several labels will do, whatever the data look like."""
        return self.kind == "multi" or bool(self.columns or self.tasks)

    @property
    def setting(self) -> str:
        """The setting that asks for several labels."""
        return "tasks" if self.tasks else "label_columns" if self.columns else "labels"

    @property
    def option(self) -> str:
        """The option that names columns of a manifest as its labels."""
        return "--tasks" if self.tasks else "--target" if self.target else "--label-columns"


# As the data have them.
AS_GIVEN = LabelReading()
