"""The shape of the house: imports point downward, and every module has its tests."""

import ast
import importlib
import pathlib

import pytest

import tfxfer

ROOT = pathlib.Path(tfxfer.__file__).parent
BENCHMARKS = sorted(pathlib.Path(__file__).parents[1].glob("benchmarks/*.py"))

# Door -> verbs -> nouns -> leaves. A module imports from the layers below its own, nouns also from
# nouns; verbs do not import each other, but for the export and the report that a fit ends with, and
# the evaluation, by which all three judge.
DOOR = {"cli"}
VERBS = {"checking", "training", "evaluation", "prediction", "pretraining", "export", "reporting"}
LEAVES = {
    *("allocator", "config", "places", "recipe", "run_directory", "errors", "tables"),
    *("names", "outputs", "streams", "file_locks", "keras_settings", "notices", "paths"),
}
USED_BY_VERBS = {
    "training": {"evaluation", "export", "reporting"},
    "export": {"evaluation"},
    "reporting": {"evaluation"},
}
LIGHT = {"cli", "backbones", "preflight", "progress", *LEAVES}
# Packages whose tests go over all that lies in them: files of every format through every function.
TESTED_AS_ONE = {"images"}


def modules():
    paths = [path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"]
    return {str(path.relative_to(ROOT).with_suffix("")).replace("/", "."): path for path in paths}


def imported(path, *, top_only=False):
    """Returns the top-level names of packages, and the names of our own modules, it imports."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_only else ast.walk(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
            if node.module == "tfxfer":
                names |= {f"tfxfer.{alias.name}" for alias in node.names}
    return names


def ours(path):
    return {name.split(".")[1] for name in imported(path) if name.startswith("tfxfer.")}


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_point_downward(name):
    found, layer = ours(modules()[name]), name.split(".")[0]
    if layer in DOOR:
        return
    assert not found & DOOR
    if layer in VERBS:
        assert found & VERBS - {layer} <= USED_BY_VERBS.get(layer, set())
        return
    assert not found & VERBS
    if layer in LEAVES:
        assert found <= LEAVES


@pytest.mark.parametrize("name", sorted(LIGHT))
def test_what_must_start_at_once_imports_nothing_heavy(name):
    heavy = {"tensorflow", "keras", "tensorflow_datasets", "sklearn", "numpy"}
    packages = {found.split(".")[0] for found in imported(modules()[name], top_only=True)}
    assert not packages & heavy


def test_every_module_has_its_tests():
    tests = pathlib.Path(__file__).parent
    for path in modules().values():
        folder, name = path.relative_to(ROOT).parent, path.stem
        # A package is tested as the module that it is seen as from outside.
        as_one = name == "__init__" or str(folder) in TESTED_AS_ONE
        expected = f"test_{folder}.py" if as_one else folder / f"test_{name}.py"
        assert (tests / expected).is_file(), expected


@pytest.mark.parametrize("path", BENCHMARKS, ids=[path.stem for path in BENCHMARKS])
def test_what_a_benchmark_imports_of_the_library_is_there(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "tfxfer":
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names), node.module


def test_there_is_no_assert_in_the_library():
    for path in modules().values():
        assert not [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Assert)
        ]
