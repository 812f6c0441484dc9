"""Names stand for themselves in Markdown."""

import html
import re

import pytest

from tfxfer.reporting.markdown import as_text, table


@pytest.mark.parametrize(
    "name",
    ["plain name", "a|b", "<b>x</b>", "# not a *heading*", "`code` [link](x)", "a&b &lt;", "熊"],
)
def test_a_name_reads_as_it_is_and_has_no_sign_that_means_anything(name):
    text = as_text(name)
    assert html.unescape(text) == name
    assert not set(re.sub(r"&#\d+;", "", text)) & set("\\`*_{}[]<>|#&")


def test_a_name_is_on_one_line_and_can_be_written():
    assert as_text("two\nlines\r\n and\ttabs") == "two lines and tabs"
    assert html.unescape(as_text("odd\udcff")) == r"odd\xff"


def test_a_table_has_as_many_cells_in_each_row():
    lines = table(["a|b", "n"], [["x", "1"], ["y\nz", "2"]]).splitlines()
    assert lines == ["| a&#124;b | n |", "| --- | --- |", "| x | 1 |", "| y z | 2 |"]
