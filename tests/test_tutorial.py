"""The tutorial: the notebook is what its script makes, and runs to its end."""

import pathlib
import re
import shlex

import pytest

from tfxfer.cli import main

jupytext = pytest.importorskip("jupytext")
nbformat = pytest.importorskip("nbformat")

DOCS = pathlib.Path(__file__).parents[1] / "docs"
NOTEBOOK = DOCS / "tutorial.ipynb"


def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def code_of(cells):
    return [cell.source for cell in cells if cell.cell_type == "code"]


def test_the_notebook_is_what_its_script_makes():
    made = jupytext.read(DOCS / "tutorial.py")
    cells, expected = (
        [(cell.cell_type, cell.source) for cell in one.cells] for one in (notebook(), made)
    )
    assert cells == expected, "run `jupytext --update --to ipynb docs/tutorial.py`"


def test_the_notebook_is_valid_and_holds_no_outputs():
    found = notebook()
    nbformat.validate(found)
    assert found.metadata.kernelspec.name == "python3"
    for cell in found.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_every_code_cell_compiles():
    for number, code in enumerate(code_of(notebook().cells), start=1):
        compile(code, f"code cell {number}", "exec")


def test_the_pages_that_the_notebook_links_to_exist():
    for cell in notebook().cells:
        for target in cell.source.split("](")[1:]:
            assert (DOCS / target.split(")")[0]).is_file(), target


def test_the_commands_of_the_notebook_are_accepted():
    texts = [cell.source for cell in notebook().cells if cell.cell_type == "markdown"]
    found = re.findall(r"^    tfxfer ((?:.*\\\n)*.*)", "\n".join(texts), re.MULTILINE)
    assert found
    for line in found:
        name, *arguments = shlex.split(line.replace("\\\n", ""))
        main.commands[name].make_context(name, arguments)


@pytest.mark.slow
def test_the_notebook_runs_to_its_end_and_finds_the_faults(tmp_path):
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    found = notebook()
    client = nbclient.NotebookClient(
        found, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()

    printed = {
        cell.source: "".join(o.text for o in cell.outputs if o.get("name") == "stdout")
        for cell in found.cells
        if cell.cell_type == "code"
    }

    def output_of(call):
        (text,) = [text for source, text in printed.items() if call in source]
        return text

    check = output_of("tfxfer.check(")
    for name in ("train/3/truncated.png", "train/6/also_a_five.png", "train/7/leaked.png"):
        assert f"my_digits/{name}" in check
    assert "wrong_label.png" not in check
    assert output_of("mistakes.sort(").startswith("my_digits/test/1/wrong_label.png")
    before, after = map(float, re.findall(r"\d\.\d+", output_of("corrected.accuracy")))
    assert 0.9 < before < after
    assert output_of("tfxfer.predict(").count("my_digits/test/") == 10
    assert (tmp_path / output_of("report.html").strip()).is_file()
    assert output_of("tf.saved_model.load(").splitlines()[-1] == "(10, 10)"
    assert (tmp_path / "saved_models" / "digits" / "1" / "saved_model.pb").is_file()
