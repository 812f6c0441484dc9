"""The page of a ranking."""

from collections.abc import Mapping
from typing import Any

from tfxfer.reporting.html.filling import fill
from tfxfer.reporting.ranking.section import ranking_section


def render(ranking: Mapping[str, Any]) -> str:
    """Returns the page of a ranking as self-contained HTML.

    Args:
        ranking: Content of `ranking.json`, as `rank` writes it.
    """
    title = f"Backbones for {ranking['data']}"
    return fill("ranking.html", title=title, ranking=ranking_section(ranking))
