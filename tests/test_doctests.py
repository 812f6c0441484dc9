"""The examples in docstrings: they are run, and public functions of pure modules have one."""

import ast
import contextlib
import doctest
import functools
import importlib
import io
import pathlib
import subprocess
import sys

import pytest

import tfxfer

ROOT = pathlib.Path(tfxfer.__file__).parent
MODULES = {
    str(path.relative_to(ROOT).with_suffix("")).replace("/", "."): path
    for path in ROOT.rglob("*.py")
    if path.name != "__init__.py"
}

# Modules of pure functions, each with an example but for those that are named here.
WITH_EXAMPLES = {
    "config.paths": (),
    "data.carving": ("chances_of",),
    "data.contents": (),
    "data.image.hamming": (),
    "data.split_names": (),
    # Of whole splits.
    "data.splitting": ("with_validation", "disjoint", "with_validation_joined", "joined"),
    "data.weighting": ("without_weightless", "training_weights"),  # likewise
    "evaluation.calibration": (
        "calibrate",
        "calibrated_copy",
        "describe_calibration",
        "divide_logits",
    ),
    "evaluation.confusion": (),
    "evaluation.metrics": ("describe_correct",),
    "data.labels.kinds": (),
    "data.labels.numbers": ("write_number", "read_number"),
    "data.labels.targets": ("in_batches", "unknown_names_of"),
    "evaluation.multi_label.precision_recall": (),
    "models.losses.binary_cross_entropy": (),
    "models.losses.cross_entropy": (),
    "models.objectives": (),
    "models.sigmoids": (),
    "planning.defaults": (),
    "ranking.ordering": ("order",),
    "ranking.scores": (),
    "training.logistic_regression": ("finished", "converged", "path_as_state", "path_of_state"),
}

# Those of them that import TensorFlow.
WITH_TENSORFLOW = {"data.splitting", "data.weighting", "evaluation.calibration"}


@functools.cache
def examples():
    """Returns the examples of each module that has some: (docstring's owner, its examples)."""
    found = {}
    for module, path in MODULES.items():
        if ">>>" not in (text := path.read_text("utf-8")):
            continue
        parser = doctest.DocTestParser()
        found[module] = [
            (getattr(node, "name", module), parser.get_examples(docstring))
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ">>>" in (docstring := ast.get_docstring(node) or "")
        ]
    return found


def is_skipped(example):
    return example.options.get(doctest.SKIP, False)


def modules_to_run(*, of_verbs=False):
    """Returns the modules with examples that are run: those of the verbs, or all others."""
    return sorted(
        module
        for module, owners in examples().items()
        if module.startswith(("api.", "inference.")) == of_verbs
        if not all(is_skipped(example) for _, some in owners for example in some)
    )


def public_functions(module):
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {name for name in names if not name.startswith("_")}


def run_examples(name):
    """Runs the examples of a module as a user in /home/ann would."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setenv("HOME", "/home/ann")
        module = importlib.import_module(f"tfxfer.{name}")
        result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0, printed.getvalue()


@pytest.mark.parametrize("name", modules_to_run())
def test_examples_give_what_they_show(name):
    run_examples(name)


@pytest.mark.slow
def test_examples_of_the_verbs_give_what_they_show():
    for name in modules_to_run(of_verbs=True):
        run_examples(name)


def test_all_examples_are_python():
    for module, owners in examples().items():
        for owner, some in owners:
            for example in some:
                compile(example.source, f"{module}.{owner}", "single")


@pytest.mark.parametrize("module", sorted(WITH_EXAMPLES))
def test_public_functions_have_an_example(module):
    shown = {owner for owner, _ in examples().get(module, ())}
    missing = public_functions(module) - shown - set(WITH_EXAMPLES[module])
    assert not missing, f"{module} has no example of {sorted(missing)}"


def test_examples_of_pure_modules_need_no_tensorflow():
    pure = [f"tfxfer.{name}" for name in WITH_EXAMPLES if name not in WITH_TENSORFLOW]
    code = f"import importlib, sys\nfor name in {pure}: importlib.import_module(name)\n"
    code += "print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "False"], done.stderr
