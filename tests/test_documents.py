"""README and docs/: programs run, commands parse, links resolve, every setting is described."""

import ast
import dataclasses
import importlib.util
import itertools
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import click
import pytest
import tensorflow as tf
from google.protobuf import text_format
from model_server import grpc_server
from tensorflow_serving.config import model_server_config_pb2

import tfxfer
from tfxfer.cli import main
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.config.settings import option_of, setting_field, setting_keys
from tfxfer.exporting.clients import WARMUP_BATCH_SIZES, curl_with_file, grpc_snippet, how_to_try

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"


def text_of(path):
    """Returns a page as Markdown; of a notebook, without its code and what that printed."""
    text = path.read_text("utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


PAGES = {
    str(path.relative_to(ROOT)): text_of(path)
    for path in [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("*.ipynb"))]
}
# Their links are checked, too.
OTHERS = ("ARCHITECTURE.md", "CONTRIBUTING.md", "benchmarks/README.md", "saved_models/README.md")
README = PAGES["README.md"]
SERVING = PAGES["docs/serving.md"]

# Options of other programs.
FOREIGN_OPTIONS = (
    "--build-arg",
    "--batching_parameters_file",
    "--enable_batching",
    "--logdir",
    "--model_config_file",
)

_BLOCK = re.compile(r"^ *```(\w*)\n(.+?)^ *```", re.DOTALL | re.MULTILINE)


def programs(text, language):
    return [content for kind, content in _BLOCK.findall(text) if kind == language]


def prose(text):
    """Returns a page without its blocks of code."""
    return _BLOCK.sub("", text)


def spans(text):
    """Returns what stands between backticks in the prose; a table escapes its bars."""
    return [span.replace(r"\|", "|") for span in re.findall(r"`([^`\n]+)`", prose(text))]


@pytest.fixture(scope="module")
def workplace(finished, pictures, tmp_path_factory):
    """A folder in which the names of the documents are those of a copy of a finished run."""
    result, _ = finished
    folder = tmp_path_factory.mktemp("workplace")
    shutil.copytree(result.run, folder / "runs" / "photos-mobilenetv2")
    shutil.copytree(result.export.parent, folder / "saved_models" / "photos-mobilenetv2")
    for name, path in {
        "bee.jpg": pictures / "test" / "red" / "0.jpg",
        "ant.jpg": pictures / "test" / "blue" / "0.jpg",
        "photos": pictures,
    }.items():
        (folder / name).symlink_to(path)
    return folder


def run(program, folder):
    done = subprocess.run(
        [sys.executable, "-c", f"import small_network\n{program}"],  # the backbone of the run
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150


# Programs


@pytest.mark.slow
def test_the_programs_that_use_a_model_run(workplace):
    (load,) = programs(README, "python")
    assert run(load, workplace).strip() in ("blue", "green", "red")
    serve, keras = programs(PAGES["docs/exporting.md"], "python")
    zeros = "import numpy as np\nimages = np.zeros((2, 32, 32, 3))"
    keras = keras.replace("images = ...", zeros) + "assert probabilities.shape == (2, 3)\n"
    said = run(keras + serve, workplace).splitlines()[-1]
    assert re.match(r"\[b'(blue|green|red)'\] \[\[", said)
    # Those that train do it for minutes; `tests/api/test_fit.py` does.
    fit, seeds, *others = programs(PAGES["docs/python-api.md"], "python")
    assert "tfxfer.fit" in fit
    assert "tfxfer.fit" in seeds
    run("\n".join(others), workplace)


@pytest.mark.parametrize("page", PAGES)
def test_programs_use_tfxfer_as_it_is(page):
    for program in programs(PAGES[page], "python"):
        for node in ast.walk(ast.parse(program)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tfxfer"):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names)
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "tfxfer":
                assert node.attr in tfxfer.__all__
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("tfxfer.fit", "FitConfig"):
                names = {keyword.arg for keyword in node.keywords}
                known = {field.name for field in dataclasses.fields(FitConfig)}
                assert names <= {"callbacks", "resume", "say", *known}


@pytest.mark.slow
def test_the_grpc_program_of_the_page_on_serving_runs(workplace):
    (program,) = programs(SERVING, "python")
    assert program == grpc_snippet("bees").replace("IMAGE", "bee.jpg")
    export = workplace / "saved_models" / "photos-mobilenetv2" / "1"
    with grpc_server(tf.saved_model.load(str(export)).signatures) as port:
        said = run(program.replace("localhost:8500", f"localhost:{port}"), workplace)
    assert re.match(r"\[b'(blue|green|red)'\] \[\[", said)


def test_the_commands_of_the_page_on_serving_are_those_that_are_printed():
    serve, ask = how_to_try(pathlib.Path("saved_models/bees/1"))
    assert serve.replace(f"{pathlib.Path.cwd()}/", '"$PWD/').replace(":ro", ':ro"') in SERVING
    assert ask in SERVING
    assert curl_with_file("bee.jpg", "bees") in SERVING


def test_the_files_of_settings_are_those_of_the_server():
    models, batching = programs(SERVING, "")
    config = text_format.Parse(models, model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ("bees", "/models/bees")
    assert set(model.version_labels.values()) <= set(model.model_version_policy.specific.versions)
    sizes = tuple(map(int, re.findall(r"allowed_batch_sizes: (\d+)", batching)))
    assert sizes == WARMUP_BATCH_SIZES
    assert f"max_batch_size {{ value: {sizes[-1]} }}" in batching


# Commands


def commands(text):
    """Yields the words of each `tfxfer` command in blocks of a page and between its backticks."""
    blocks = [content for kind, content in _BLOCK.findall(text) if kind in ("", "bash")]
    blocks += re.findall(r"(?:^ {4}.*\n?)+", prose(text), re.MULTILINE)
    for line in itertools.chain(
        *(block.replace("\\\n", " ").splitlines() for block in blocks), spans(text)
    ):
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
        lexer.whitespace_split = True
        words = list(lexer) if re.search(r"(^|[ &|])tfxfer ", line) else []
        for operator, part in itertools.groupby(words, lambda word: word in ("|", "&&", "||")):
            command = list(itertools.dropwhile(lambda word: "=" in word, part))
            if not operator and len(command) > 1 and command[0] == "tfxfer":
                yield command[1:]


def parsed(words):
    """Parses a command as `tfxfer` does, without doing anything, and checks its settings."""
    name, *arguments = words
    command = main.commands[name]
    if not arguments or arguments == ["--help"]:
        return  # the command is only named
    context = command.make_context(name, [*arguments])
    record = {"fit": FitConfig, "pretrain": PretrainConfig}.get(name)
    if record is not None:
        recipe = context.params["recipe"]
        here = recipe is not None and (ROOT / recipe).is_file()
        config = read_recipe(ROOT / recipe, record()) if here else record()
        config.with_settings(context.obj or {})


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_understood(page):
    for words in commands(PAGES[page]):
        if words[0] == "COMMAND" or words == ["--help"]:
            continue
        try:
            parsed(words)
        except (click.ClickException, tfxfer.TfxferError, KeyError) as error:
            pytest.fail(f"{page}: tfxfer {shlex.join(words)}: {error!r}")


def known_options():
    return {
        option
        for command in main.commands.values()
        for parameter in command.params
        for option in parameter.opts
    }


@pytest.mark.parametrize("page", PAGES)
def test_options_exist(page):
    named = {
        word for span in spans(PAGES[page]) for word in re.findall(r"(?<![\w-])--\w[\w-]*", span)
    }
    assert named <= {"--help", *FOREIGN_OPTIONS, *known_options()}


@pytest.mark.parametrize("page", PAGES)
def test_options_between_backticks_take_the_values_that_are_shown(page):
    for span in spans(PAGES[page]):
        if not re.match(r"--\w[\w-]* \S", span) or span.startswith(FOREIGN_OPTIONS):
            continue
        words = shlex.split(span)
        needed = {"evaluate": ["RUN"], "export": ["RUN"], "predict": ["RUN", "FILE"]}
        needed |= {"check": ["DATA"], "report": ["RUN"]}
        errors = []
        for name in main.commands:
            if name in ("backbones", "cache"):
                continue
            try:
                parsed([name, *needed.get(name, []), *words])
                break
            except (click.ClickException, tfxfer.TfxferError) as error:
                errors.append(f"{name}: {error}")
        else:
            pytest.fail(f"{page}: `{span}`: {errors}")


# Settings


@pytest.mark.parametrize("record", [FitConfig, PretrainConfig])
def test_every_setting_is_in_the_table_of_all_with_its_default(record):
    rows = re.findall(
        r"^\| `(--[\w-]+)`[^|]*\| ((?:[^|\\]|\\.)*) \|", PAGES["docs/settings.md"], re.M
    )
    table = {option: default.replace(r"\|", "|") for option, default in rows}
    table |= {
        other: table[option]
        for option, other in re.findall(
            r"^\| `(--[\w-]+)` \(`(--[\w-]+)`\)", PAGES["docs/settings.md"], re.M
        )
    }
    for key in setting_keys(record):
        assert option_of(key) in table, key
        default = setting_field(record, key).default
        if default not in (None, "", ()):
            assert table[option_of(key)] == f"`{default}`", key


# Links


def anchors(text):
    """Returns the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(text):
    found = re.findall(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"", prose(text))
    return [one or other for one, other in found if ":" not in (one or other)]


@pytest.mark.parametrize("page", [*PAGES, *OTHERS])
def test_links_and_anchors_lead_somewhere(page):
    for link in links(text_of(ROOT / page)):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert target.resolve().is_relative_to(ROOT)
        if anchor:
            assert anchor in anchors(text_of(target)), link


def test_every_page_is_linked_from_the_readme_and_the_start_page():
    others = {page for page in PAGES if page.endswith(".md")} - {"README.md", "docs/index.md"}
    assert {f"docs/{link}" for link in links(PAGES["docs/index.md"])} >= others
    # The reference is empty outside of the site.
    assert set(links(README)) >= others - {"docs/reference.md"}


# Messages


def texts_of_the_code():
    """Yields the texts in the code that are no docstrings."""
    for path in (ROOT / "tfxfer").rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in docstrings:
                yield str(node.value)


def test_the_messages_that_are_explained_are_in_the_code():
    code = "\n".join(texts_of_the_code())
    explained, _, _ = PAGES["docs/troubleshooting.md"].partition("## Not a message")
    parts = [
        part for cell in re.findall(r"^\| (`[^|]+`) \|", explained, re.M) for part in spans(cell)
    ]
    assert len(parts) > 40
    assert [part for part in parts if part not in code] == []


# The site


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="mkdocs is not installed")
def test_the_site_is_built_without_warnings(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    reference = (tmp_path / "reference.html").read_text("utf-8")
    for name in set(tfxfer.__all__) - {"__version__"}:
        assert f'id="tfxfer.{name}"' in reference, name
