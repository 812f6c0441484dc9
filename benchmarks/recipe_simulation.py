"""Searches and rules, simulated from the histories that `recipes.py` has recorded."""

import itertools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recipe_tables import Instance, as_rule, left_out, mean_regret, show

Rule = Callable[[Instance], str]


@dataclass(frozen=True)
class Search:
    """A successive halving that is simulated from the histories.

    Attributes:
        ways: Candidates; the head alone is one always.
        rungs: Epochs after which the worse half is dropped.
        best: Whether the best validation loss so far judges, rather than the latest.
    """

    ways: tuple[str, ...]
    rungs: tuple[int, ...]
    best: bool = False

    def run(self, one: Instance) -> tuple[str, float]:
        """Returns the way that it ends with, and its CPU time as multiple of the default's."""
        alive, cost, done = list(self.ways), 0.0, 0
        for rung in self.rungs:
            cost += sum(_cost(one, way, rung - done) for way in alive)
            alive = sorted(alive, key=lambda way: self._judge(one, way, rung))
            alive, done = alive[: max(1, -(-len(alive) // 2))], rung
        cost += sum(_cost(one, way, len(one.cells[way]["finetune"]) - done) for way in alive)
        default = one.cells["default"]
        return one.chosen(["head", *alive]), cost / _cost(one, "default", len(default["finetune"]))

    def _judge(self, one: Instance, way: str, rung: int) -> float:
        losses = [epoch[2] for epoch in one.cells[way]["finetune"][:rung]]
        return min(losses) if self.best else losses[-1]


def _cost(one: Instance, way: str, epochs: int) -> float:
    """Returns CPU seconds of epochs of a way, compilation shared out among them."""
    spent = one.cells[way]["cpu_seconds"] - one.cells["head"]["cpu_seconds"]
    return max(spent, 1.0) * epochs / len(one.cells[way]["finetune"])


def simulate(every: Sequence[Instance], core: Sequence[str]) -> None:
    """Prints what searches and rules would have chosen."""
    tens = tuple(way for way in core if "-10" in way)
    _show_halving(every, tens)
    _show_portfolios(every, core)
    _show_signals(every, tens)
    _show_stumps(every, core)


def _show_halving(every: Sequence[Instance], ways: tuple[str, ...]) -> None:
    """Prints successive halving with several rungs, against running all to the end."""
    rows = []
    for rungs, best in itertools.product(
        [(), (1,), (2,), (3,), (1, 2), (1, 3), (2, 4), (3, 6)], [0, 1]
    ):
        if not rungs and best:
            continue
        search = Search(ways, rungs, bool(best))
        ends = [search.run(one) for one in every]
        kept = sum(
            end in (one.chosen(["head", *ways]),) for (end, _), one in zip(ends, every, strict=True)
        )
        regrets = [one.regret(end)[0] for (end, _), one in zip(ends, every, strict=True)]
        rows.append(
            [
                ", ".join(map(str, rungs)) or "none",
                "best so far" if best else "latest",
                f"{kept} of {len(every)}",
                f"{statistics.mean(regrets):.2f}",
                f"{max(regrets):.1f}",
                f"{statistics.mean(cost for _, cost in ends):.1f}",
            ]
        )
    columns = ["halved after epochs", "by loss", "winner kept", "mean regret", "worst", "cost"]
    show(f"Successive halving of {len(ways)} ways; cost in CPU time of the default", columns, rows)


def _show_portfolios(every: Sequence[Instance], core: Sequence[str]) -> None:
    """Prints the two best portfolios of each size, and how those of the other sets do."""
    tuned = [way for way in core if way not in ("head", "default")]
    rows = []
    for size in range(1, min(6, len(tuned)) + 1):

        def learn(others: Sequence[Instance], size: int = size) -> Rule:
            return _choosing_of(_portfolios(others, tuned, size)[0][1])

        found = left_out(every, learn)
        unseen = f"{mean_regret(*as_rule(found)):.2f}"
        for regret, ways in _portfolios(every, tuned, size)[:2]:
            rows.append([size, ", ".join(ways), f"{regret:.2f}", unseen])
            unseen = ""
    columns = ["size", "portfolio, and the head", "mean regret", "left out"]
    show("Portfolios, all run to the end and chosen on validation", columns, rows)


def _choosing_of(ways: Sequence[str]) -> Rule:
    """Returns the rule that runs the head and these ways, and takes the best on validation."""
    return lambda one: one.chosen(["head", *ways])


def _portfolios(
    every: Sequence[Instance], ways: Sequence[str], size: int
) -> list[tuple[float, tuple[str, ...]]]:
    """Returns all portfolios of a size with their mean regrets, the best first."""
    return sorted(
        (mean_regret(every, _choosing_of(portfolio)), portfolio)
        for portfolio in itertools.combinations(ways, size)
    )


def _show_signals(every: Sequence[Instance], ways: tuple[str, ...]) -> None:
    """Prints how early ways are told apart: with or without warps, by rate, by depth."""
    pairs = {
        "warps or none": [(w, f"{w}-still") for w in ways if f"{w}-still" in ways],
        "3e-4 or 1e-4": [("last-3e-4-10", "last-1e-4-10"), ("all-3e-4-10", "all-1e-4-10")],
        "3e-4 or 1e-3": [("last-3e-4-10", "last-1e-3-10"), ("all-3e-4-10", "all-1e-3-10")],
        "last or all": [("last-3e-4-10", "all-3e-4-10")],
    }
    rows = []
    for name, all_couples in pairs.items():
        couples = [couple for couple in all_couples if set(couple) <= set(ways)]
        row: list[object] = [name]
        for epoch in (1, 2, 3, 5):
            right = [
                (_least(one, a, epoch) < _least(one, b, epoch)) == (_least(one, a) < _least(one, b))
                for one in every
                for a, b in couples
            ]
            row.append(f"{sum(right)} of {len(right)}")
        rows.append(row)
    better = [
        (one, way)
        for one in every
        for way in ways
        if _least(one, way) < one.cells["head"]["head"][2]
    ]
    row = ["better than the head in the end"]
    for epoch in (1, 2, 3, 5):
        early = [_least(one, way, epoch) < one.cells["head"]["head"][2] for one, way in better]
        row.append(f"{sum(early)} of {len(early)}")
    rows.append(row)
    columns = ["the better on validation loss", *(f"epoch {n}" for n in (1, 2, 3, 5))]
    show("Whether the better of two in the end is the better early", columns, rows)


def _least(one: Instance, way: str, epochs: int | None = None) -> float:
    return min(epoch[2] for epoch in one.cells[way]["finetune"][:epochs])


def _show_stumps(every: Sequence[Instance], core: Sequence[str]) -> None:
    """Prints the best rules with one threshold on a fact that the head phase leaves."""
    facts: dict[str, Callable[[Instance], float]] = {
        "training images": lambda one: one.cells["head"]["images"]["train"],
        "images a class": lambda one: (
            one.cells["head"]["images"]["train"] / one.cells["head"]["classes"]
        ),
        "classes": lambda one: one.cells["head"]["classes"],
        "head's validation loss": lambda one: one.cells["head"]["head"][2],
        "head's validation accuracy": lambda one: one.cells["head"]["head"][3],
        "head's gap in loss": lambda one: (
            one.cells["head"]["head"][2] - one.cells["head"]["head"][0]
        ),
        "head's penalty": lambda one: one.cells["head"]["penalty"],
    }
    rows = []
    for name, fact in facts.items():
        regret, threshold, below, above = _stump(every, fact, core)

        def learn(others: Sequence[Instance], fact: Callable[[Instance], float] = fact) -> Rule:
            _, cut, low, high = _stump(others, fact, core)
            return lambda one: low if fact(one) < cut else high

        found = left_out(every, learn)
        loo = f"{mean_regret(*as_rule(found)):.2f}" if found else "-"
        rows.append([name, f"{threshold:.4g}", below, above, f"{regret:.2f}", loo])
    columns = ["fact", "threshold", "below", "from there on", "mean regret", "left out"]
    show("Rules with one threshold", columns, rows)


def _stump(
    every: Sequence[Instance], fact: Callable[[Instance], float], core: Sequence[str]
) -> tuple[float, float, str, str]:
    """Returns the regret, threshold and two ways of the best rule on one fact."""
    best: tuple[float, float, str, str] | None = None
    values = sorted({fact(one) for one in every})
    for low, high in itertools.pairwise([values[0], *values]):
        cut = (low + high) / 2
        for below, above in itertools.product(core, core):
            regret = mean_regret(
                every, lambda one, c=cut, b=below, a=above: b if fact(one) < c else a
            )
            if best is None or regret < best[0]:
                best = regret, cut, below, above
    if best is None:
        raise ValueError("No instance.")
    return best
