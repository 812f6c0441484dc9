from tfxfer.system.timing.breakdown import describe_spans
from tfxfer.system.timing.spans import Moment, Span


def _span(name, start, end, cores=1.0):
    return Span(name, Moment(start, start * cores), Moment(end, end * cores))


def _table(*spans):
    """Returns the rows of the table without its title, each a name and its numbers."""
    rows = [line.rsplit(maxsplit=5) for line in describe_spans(spans).splitlines()[1:]]
    return [(row[0], float(row[1]), float(row[3]), float(row[5])) for row in rows]


def test_spans_within_others_are_indented_and_count_once():
    inner, outer = _span("features", 1.0, 3.0), _span("head", 0.0, 4.0)
    assert _table(inner, outer) == [
        ("head", 4.0, 4.0, 1.0),
        ("  features", 2.0, 2.0, 1.0),
        ("total", 4.0, 4.0, 1.0),
    ]


def test_spans_that_differ_in_a_number_are_a_row():
    epochs = [_span(f"finetune epoch {n + 1}", 2 * n, 2 * n + 2, cores=1.5) for n in range(10)]
    assert _table(_span("finetune", 0.0, 20.0, cores=1.5), *epochs) == [
        ("finetune", 20.0, 30.0, 1.5),
        ("  finetune epoch (10 times)", 20.0, 30.0, 1.5),
        ("total", 20.0, 30.0, 1.5),
    ]


def test_what_is_two_levels_deep_is_not_a_row():
    spans = [_span("head", 0.0, 4.0), _span("features", 0.0, 3.0), _span("decode", 0.0, 1.0)]
    assert [row[0] for row in _table(*spans)] == ["head", "  features", "total"]


def test_what_takes_next_to_no_time_is_not_a_row():
    spans = [_span("head", 0.0, 99.9), _span("report", 99.9, 100.0)]
    assert [row[0] for row in _table(*spans)] == ["head", "total"]
