"""The ways of a search as rows of the plan."""

from tfxfer.planning.description import describe_changes
from tfxfer.planning.portfolio import Portfolio
from tfxfer.planning.ways.way import Way
from tfxfer.planning.wording import counted, plan_row


def describe_search(portfolio: Portfolio) -> list[str]:
    """Returns the lines on the ways among which a search chooses, and what it costs."""
    rows = ["tries several configurations and keeps the best on validation"]
    if not portfolio.is_thorough:
        most, cost = counted(portfolio.epochs, "epoch"), round(portfolio.cost)
        times = f"up to {cost} times as long" if cost > 1 else "as long"
        rows.append(
            f"takes at most {most}, {times} as the fine-tuning of --effort quick (an epoch that "
            "trains all stages takes longer)"
        )
    rows += [
        "each is named by the first stage it trains ('all': all stages) and its learning rate:",
        f"{portfolio.head_alone.name} (no fine-tuning)",
        *map(_describe_way, portfolio.ways),
    ]
    if portfolio.deeper:
        way = _describe_way(portfolio.deeper[0])
        limit = f"{portfolio.much_to_gain:g}"
        when = "at once" if portfolio.is_thorough else "only"
        rows.append(
            f"{way}, {when} if the best so far has a loss (after temperature scaling) above {limit}"
        )
    if portfolio.is_thorough:
        rows += _describe_further(portfolio)
    return [plan_row("" if number else "search", row) for number, row in enumerate(rows)]


def _describe_further(portfolio: Portfolio) -> list[str]:
    """Returns rows on what a thorough search tries after that, in order."""
    rows = [_describe_way(ways[0]) for ways in portfolio.further]
    if len(portfolio.ways) > 1:
        rows.append("then the same with the augmentation that did worse")
    longer = f" and {portfolio.times} times the epochs" if portfolio.times > 1 else ""
    return [
        "then, as far as each fits into the time left, with the augmentation that did better:",
        *rows,
        f"then the best one with another seed{longer}",
        "at the end a soup of the best five, then WiSE-FT, each if it lowers the validation loss",
    ]


def _describe_way(way: Way) -> str:
    """Returns what a way trains, for how long and on which images."""
    augmentation = ", ".join(describe_changes(way.augment)) or "no augmentation"
    return f"{way.name} ({counted(way.finetune.epochs, 'epoch')}; {augmentation})"
