"""What the figures of `recipes.py` say: each dataset, each way, and one dataset left out.

An instance is a dataset, a backbone and a seed. What is reported is on test or, where the data have
no test split, on validation; what is chosen is chosen on validation: by accuracy and then by loss,
as a fit chooses among its epochs. The regret of a way is what it loses, on the split that is
reported, against the best way there, which nobody can choose: it is never negative. Tempered losses
are those at the temperature that suits validation, as `tfxfer fit --calibrate` has them.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Cells = Mapping[str, dict[str, Any]]  # of one instance, by way

# The ways that decide by the data.
EFFORTS = ("quick", "standard")


@dataclass(frozen=True)
class Instance:
    """A dataset, a backbone and a seed, with the cells of its ways.

    Attributes:
        on_validation: Whether it is reported on validation, even if there is a test split.
    """

    dataset: str
    backbone: str
    seed: int
    cells: Cells
    on_validation: bool = False

    @property
    def name(self) -> str:
        """What the tables call it."""
        short = {"mobilenetv2": "V2", "mobilenetv2_035": "V2 0.35", "resnet10_small": "small"}
        return f"{self.dataset}, {short[self.backbone]}" + (f", seed {self.seed}" * (self.seed > 0))

    @property
    def family(self) -> str:
        """What is left out together: CIFAR-10 is one set, however many of its images are taken."""
        return self.dataset.split("_")[0]

    @property
    def split(self) -> str:
        """The split that is reported."""
        has_test = "test" in self.cells["head"] and not self.on_validation
        return "test" if has_test else "validation"

    def accuracy(self, way: str) -> float:
        """Returns the accuracy that is reported of a way, in points."""
        return 100 * self.cells[way][self.split]["accuracy"]

    def loss(self, way: str) -> float:
        """Returns the tempered log loss that is reported of a way."""
        return self.cells[way][self.split]["tempered"]

    def rank(self, way: str) -> tuple[float, float]:
        """Returns what a way is chosen by."""
        scores = self.cells[way]["validation"]
        return scores["accuracy"], -scores["loss"]

    def chosen(self, ways: Iterable[str]) -> str:
        """Returns the best of some ways on validation."""
        return max(ways, key=self.rank)

    def least(self, ways: Iterable[str], score: str) -> str:
        """Returns the way of the least "loss" or "tempered" loss on validation."""
        return min(ways, key=lambda way: self.cells[way]["validation"][score])

    def regret(self, way: str) -> tuple[float, float]:
        """Returns what a way loses: points of accuracy, and log loss."""
        best = max(map(self.accuracy, self.cells))
        least = min(map(self.loss, self.cells))
        return best - self.accuracy(way), self.loss(way) - least


def instances(
    figures: Mapping[str, dict[str, Any]],
    ways: Sequence[str],
    on_validation: bool = False,
    needed: Sequence[str] | None = None,
) -> list[Instance]:
    """Returns the instances of which all of these ways have run, with only these.

    Args:
        figures: The cells, by name.
        ways: The ways.
        on_validation: Whether to report on validation, even if there is a test split.
        needed: Those that must have run; None for all.
    """
    found: dict[tuple[str, str, int], dict[str, dict[str, Any]]] = {}
    for name, cell in figures.items():
        dataset, backbone, way, seed = name.split("/")
        if "failed" not in cell and way in ways:
            found.setdefault((dataset, backbone, int(seed)), {})[way] = cell
    return [
        Instance(*key, cells, on_validation)
        for key, cells in found.items()
        if set(ways if needed is None else needed) <= set(cells)
    ]


def show(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a table of Markdown."""
    print(f"\n{title}\n")
    for row in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(map(str, row)) + " |")


def tables(every: Sequence[Instance], core: Sequence[str]) -> None:
    """Prints what the grid says: each instance, each way, and one left out after the other."""
    rows = []
    for one in every:
        best, top = one.chosen(one.cells), max(one.cells, key=one.accuracy)
        shown = [f"{way} {_scores(one, way)}" for way in (best, top)]
        known = one.cells["head"]["images"]["train"]
        rows.append([one.name, known, *(_scores(one, way) for way in ("head", "default")), *shown])
    columns = ["", "images", "head", "default", "chosen on validation", "best where reported"]
    show("Accuracy (log loss, tempered) on test, or on validation (v) without one", columns, rows)
    _show_regrets(every, core)
    _show_left_out(every, core)


def _scores(one: Instance, way: str) -> str:
    """Returns the scores of a way, and whether its head was kept."""
    kept = " =head" if way != "head" and one.cells[way]["kept"].startswith("head") else ""
    raw, validated = one.cells[way][one.split]["loss"], " v" * (one.split == "validation")
    return f"{one.accuracy(way):.1f} ({raw:.3f}, {one.loss(way):.3f}){kept}{validated}"


def _show_regrets(every: Sequence[Instance], core: Sequence[str]) -> None:
    """Prints the regret of each way on each instance, with the mean and the worst."""
    lines: list[tuple[str, list[tuple[float, float]]]] = []
    for way in core:
        lines.append((way, [one.regret(way) for one in every]))
    lines += [
        ("*chosen by accuracy*", [one.regret(one.chosen(core)) for one in every]),
        ("*chosen by loss*", [one.regret(one.least(core, "loss")) for one in every]),
        ("*chosen by tempered loss*", [one.regret(one.least(core, "tempered")) for one in every]),
    ]
    lines.sort(key=lambda line: statistics.mean(points for points, _ in line[1]))
    rows = [
        [
            way,
            *(f"{points:.1f} ({loss:.2f})" for points, loss in regrets),
            *_summary(regrets),
        ]
        for way, regrets in lines
    ]
    columns = ["", *(one.name for one in every), "mean", "worst"]
    show(
        "Regret: points of accuracy (tempered log loss) lost against the best where reported",
        columns,
        rows,
    )


def _summary(regrets: Sequence[tuple[float, float]]) -> list[str]:
    points, losses = zip(*regrets, strict=True)
    return [f"{f(points):.2f} ({f(losses):.3f})" for f in (statistics.mean, max)]


def left_out(
    every: Sequence[Instance], learn: Callable[[Sequence[Instance]], Callable[[Instance], str]]
) -> list[tuple[Instance, str]]:
    """Returns the way that a rule, learned on the other sets, chooses for each instance."""
    found = []
    for one in every:
        others = [other for other in every if other.family != one.family]
        if others:
            found.append((one, learn(others)(one)))
    return found


def mean_regret(every: Sequence[Instance], way: Callable[[Instance], str]) -> float:
    """Returns the mean regret in points of a rule, each dataset counting the same."""
    families: dict[str, list[float]] = {}
    for one in every:
        families.setdefault(one.family, []).append(one.regret(way(one))[0])
    return statistics.mean(statistics.mean(regrets) for regrets in families.values())


def efforts(every: Sequence[Instance]) -> None:
    """Prints what `quick` and `standard` lose, and how much longer a search takes.

    Args:
        every: Instances of which both have run, with all ways that have run.
    """
    rows = []
    for one in every:
        quick, standard = (one.cells[way]["cpu_seconds"] for way in EFFORTS)
        best = max(one.cells, key=one.accuracy)
        shown = [f"{one.accuracy(way):.1f} ({one.loss(way):.3f})" for way in (best, *EFFORTS)]
        rows.append([one.name, len(one.cells), best, *shown, f"{standard / quick:.1f}"])
    for what, summary in (("mean regret", mean_regret), ("worst regret", _worst_regret)):
        found = [f"{summary(every, lambda _, way=way: way):.1f}" for way in EFFORTS]
        rows.append([what, "", "", "", *found, ""])
    quick, standard = (sum(one.cells[way]["cpu_seconds"] for one in every) for way in EFFORTS)
    rows[-2][-1] = f"{standard / quick:.1f}"
    columns = ["", "ways", "best", "of it", *EFFORTS, "CPU seconds, standard / quick"]
    show("Accuracy (tempered log loss) where reported", columns, rows)


def _worst_regret(every: Sequence[Instance], way: Callable[[Instance], str]) -> float:
    return max(one.regret(way(one))[0] for one in every)


def _show_left_out(every: Sequence[Instance], core: Sequence[str]) -> None:
    """Prints how the single best way of the other sets does on the one that is left out."""

    def learn(others: Sequence[Instance]) -> Callable[[Instance], str]:
        best = min(core, key=lambda way: mean_regret(others, lambda _: way))
        return lambda _: best

    found = left_out(every, learn)
    rows = [[one.name, way, f"{one.regret(way)[0]:.1f}"] for one, way in found]
    rows.append(["mean", "", f"{mean_regret(*as_rule(found)):.2f}"])
    show("The best single way of the other sets", ["left out", "way", "regret"], rows)


def as_rule(
    found: Sequence[tuple[Instance, str]],
) -> tuple[list[Instance], Callable[[Instance], str]]:
    ways = {one.name: way for one, way in found}
    return [one for one, _ in found], lambda one: ways[one.name]
