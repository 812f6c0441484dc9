from tfxfer.reporting.html.filling import fill


def test_a_template_of_another_folder_extends_ours(tmp_path):
    (tmp_path / "mine.html").write_text(
        '{% extends "frame.html" %}{% block content %}{{ word }}{% endblock %}'
    )
    page = fill("mine.html", tmp_path, title="A & B", word="<x>")
    assert "<title>A &amp; B</title>" in page
    assert "&lt;x&gt;" in page
    assert "Generated on" in page
