"""Charts put values where they belong, and text in as text."""

import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from tfxfer.reporting.charts import (
    Chart,
    Series,
    bars,
    legend,
    nice_ticks,
    reliability,
    whole_ticks,
)


def drawn(chart):
    return ElementTree.fromstring(str(chart.draw()))


def dots(svg):
    return [(float(dot.get("cx")), float(dot.get("cy"))) for dot in svg.iter("circle")]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 0.117, [0, 0.025, 0.05, 0.075, 0.1, 0.125]),
        (0.94, 1, [0.94, 0.96, 0.98, 1]),
        (3, 3, [3, 4]),
        (0, 0, [0, 0.2]),
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
    ],
)
def test_ticks_are_round_and_enclose_the_values(low, high, expected):
    assert nice_ticks(low, high) == pytest.approx(expected)


def test_epochs_are_numbered_by_whole_numbers():
    assert whole_ticks(0.5, 4.5) == [1, 2, 3, 4]
    assert whole_ticks(0.5, 1.5) == [1]
    assert whole_ticks(0.5, 40.5) == [5, 10, 15, 20, 25, 30, 35, 40]


def test_points_stand_where_the_axes_say():
    chart = Chart(
        "t", "x", [Series("a", "a", [(0, 0), (5, 0.5), (10, 1)])], y_range=(0, 1), x_range=(0, 10)
    )
    (left, bottom), (middle, half), (right, top) = dots(drawn(chart))
    assert left < middle < right
    assert middle == pytest.approx((left + right) / 2)
    assert bottom > half > top  # y runs downward in SVG
    assert half == pytest.approx((bottom + top) / 2)
    labels = {
        text.text: float(text.get("y")) for text in drawn(chart).iter("text") if text.get("y")
    }
    assert labels["0.6"] == pytest.approx(bottom + (top - bottom) * 0.6 + 4, abs=0.11)


def test_a_logarithmic_scale_has_equal_steps_for_equal_ratios_and_leaves_out_zero():
    points = [(1, 1e-2), (2, 1e-3), (3, 1e-4), (4, 0)]
    places = dots(drawn(Chart("t", "x", [Series("a", "a", points)], logarithmic=True)))
    assert len(places) == 3
    first, second, third = (y for _, y in places)
    assert third - second == pytest.approx(second - first, abs=0.11)


def test_a_line_is_broken_where_there_is_no_value():
    points = [(1, 1.0), (2, math.nan), (3, 2.0), (4, 3.0)]
    svg = drawn(Chart("t", "x", [Series("a", "a", points)]))
    (path,) = [one.get("d") for one in svg.iter("path") if "line" in one.get("class")]
    assert re.sub(r"[\d. ]+", "", path) == "MML"
    assert len(dots(svg)) == 3


def test_a_line_of_many_points_has_no_dots():
    points = [(number, 1.0) for number in range(100)]
    assert not dots(drawn(Chart("t", "x", [Series("a", "a", points)])))


def test_an_empty_chart_and_one_of_a_single_point_can_be_drawn():
    assert not dots(drawn(Chart("t", "x", [Series("a", "a", [])])))
    assert len(dots(drawn(Chart("t", "x", [Series("a", "a", [(1, 0.0)])])))) == 1


def test_text_is_no_markup():
    hostile = '<b onclick="x">&'
    svg = drawn(
        Chart(hostile, hostile, [Series(hostile, "a", [(1, 1)], [hostile])], marks=[(1, hostile)])
    )
    assert svg.get("aria-label") == hostile
    assert [one.text for one in svg.iter("title")] == [hostile]
    assert [one.text for one in svg.iter("text")].count(hostile) == 2
    assert hostile not in str(legend([Series(hostile, "a", [])]))
    assert hostile not in str(bars([(hostile, 0.5, hostile)]))


def test_the_tooltips_of_the_reliability_diagram_have_the_number_of_images():
    svg = ElementTree.fromstring(str(reliability([(0.5, 0.25, 1), (0.9, 1.0, 3)])))
    titles = [one.text or "" for one in svg.iter("title")]
    assert any(
        all(part in title for part in ("1 of 4 images", "confidence 50.0%", "accuracy 25.0%"))
        for title in titles
    )
    small, large = (
        float(one.get("r")) for one in svg.iter("circle") if one.get("class") == "dot validation"
    )
    assert large > small


def test_labels_stand_beside_their_dots_on_the_side_with_room():
    series = Series("run", "run-0", [(0, 1), (10, 2)], labels=["left & low", "right"])
    svg = drawn(Chart(title="t", x_label="x", series=[series], x_range=(0, 10)))
    (first, second) = dots(svg)
    texts = {text.text: text for text in svg.iter("text")}
    assert float(texts["left & low"].get("x")) > first[0]
    assert float(texts["right"].get("x")) < second[0]
    assert texts["right"].get("text-anchor") == "end"
