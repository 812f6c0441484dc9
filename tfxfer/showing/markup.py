"""What every page shows, as HTML. All text is escaped: class names are data."""

import html
from collections.abc import Iterable, Mapping

# Classes with their probabilities, the most probable first.
Ranked = tuple[tuple[str, float], ...]

# What the page shows before the first answer.
NO_ANSWER = '<p class="demo-quiet">The most probable classes appear here.</p>'


def ranked(
    classes: Ranked, task: str = "", *, thresholds: Mapping[str, float] | None = None
) -> str:
    """Returns classes with their probabilities as bars, each with its threshold if it has one."""
    rows = "".join(
        f'<li><span class="demo-class">{html.escape(name)}</span>'
        f'<span class="demo-share">{share:.2%}</span>'
        f'<span class="demo-bar" aria-hidden="true"><span style="width:{share:.2%}"></span></span>'
        f"{'' if thresholds is None else _threshold(thresholds[name])}</li>"
        for name, share in classes
    )
    about = "Most probable labels" if thresholds is not None else "Most probable classes"
    about += f" of {html.escape(task)}" if task else ""
    return f'<ol class="demo-bars" aria-label="{about}">{rows}</ol>'


def _threshold(share: float) -> str:
    return f'<span class="demo-quiet demo-threshold">predicted from {share:.2%}</span>'


def refusal(sentence: str) -> str:
    """Returns a sentence on what cannot be done."""
    return f'<p class="demo-refusal" role="alert">{html.escape(sentence)}</p>'


def quiet(sentence: str) -> str:
    """Returns a sentence in small print."""
    return f'<p class="demo-quiet">{html.escape(sentence)}</p>'


def saying(sentence: str, command: str = "") -> str:
    """Returns a sentence, with a command below it if there is one."""
    line = f'<pre tabindex="0"><code>{html.escape(command)}</code></pre>' if command else ""
    return f'<p role="status">{html.escape(sentence)}</p>{line}'


def heading(title: str, about: str) -> str:
    """Returns the head of the page."""
    return f'<h1>{html.escape(title)}</h1><p class="demo-quiet">{html.escape(about)}</p>'


def corrections(
    number: int, path: str, command: str, before: Iterable[str], without: str = ""
) -> str:
    """Returns how many corrections there are, and how to train with them.

    Args:
        number: Number of corrections.
        path: Their manifest.
        command: The command that trains with them; empty if there is none.
        before: Sentences before that.
        without: What to do where there is no command.
    """
    if not number:
        return saying("If the model is wrong, choose the correct class and save it.")
    many = "There is 1 correction" if number == 1 else f"There are {number:,} corrections"
    told = f"{many} in '{path}'."
    told += " To train with the data of the run and these:" if command else without
    return saying(" ".join([*filter(None, before), told]), command)
