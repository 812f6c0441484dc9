"""The shape of the house: what each wing may import, how large things may grow, and their tests."""

import ast
import collections
import functools
import importlib
import pathlib

import pytest

import tfxfer

ROOT = pathlib.Path(tfxfer.__file__).parent
TESTS = pathlib.Path(__file__).parent
BENCHMARKS = sorted(TESTS.parent.glob("benchmarks/*.py"))

# From the top floor to the ground. A wing imports from its own and from the floors below; wings of
# one floor do not know each other.
FLOORS = [
    ["cli"],
    ["api"],
    ["curation"],
    ["ranking", "text"],
    ["showing"],
    ["reporting", "exporting", "training"],
    ["evaluation"],
    ["planning", "inference"],
    ["data", "models", "runs"],
    ["system"],
    ["config"],
    ["errors", "version"],
]
FLOOR_OF = {wing: number for number, wings in enumerate(FLOORS) for wing in wings}

# What answers at once, as `--help` does: no TensorFlow, no NumPy, unless a command asks for them.
LIGHT_WINGS = {"cli", "config", "errors", "version"}
LIGHT = {
    "api.modality",
    "curation.asking",
    "curation.labeling.asking",
    "models.backbones.backbone",
    "models.backbones.bundled",
    "models.backbones.efficientnet_design",
    "models.backbones.keras_applications",
    "models.backbones.packaged",
    "models.backbones.pixels",
    "models.backbones.registry",
    "models.foreign.kerashub",
    "models.foreign.tables",
    "models.presets.blocks.architectures",
    "models.presets.blocks.families",
    "models.presets.convolutional",
    "models.presets.efficientnet",
    "models.presets.families",
    "models.presets.family",
    "models.presets.files",
    "models.presets.handles",
    "models.presets.plain.cspnets",
    "models.presets.plain.efficientnets",
    "models.presets.record",
    "models.presets.settings",
    "models.presets.timm",
    "models.presets.tokens.architectures",
    "models.presets.tokens.families",
    "models.presets.tokens.hub",
    "models.presets.tokens.transformers",
    "planning.inputs",
    "planning.preflight",
    "ranking.candidates",
    "runs.lock",
    "runs.naming",
    "system.files",
    "system.keras_settings",
    "system.names",
    "system.notices",
    "system.processes.asked",
    "system.progress",
    "system.run_layout",
    "system.sharing.locks",
    "system.streams",
    "system.tables",
    "system.timing.breakdown",
    "system.timing.spans",
    "system.timing.timeline",
    "text.data.encoding",
    "text.models.backbones",
    "text.models.encoders.directories",
    "text.models.encoders.kerashub",
    "text.models.encoders.packaged",
    "text.models.encoders.record",
    "text.models.encoders.vocabulary",
    "text.models.weights",
    "text.preflight",
    "text.recognition",
}
HEAVY = {"tensorflow", "keras", "tensorflow_datasets", "sklearn", "scipy", "numpy", "PIL"}

# Sizes at which one asks which noun is missing. Docstrings do not count in functions.
MOST_LINES, MOST_LINES_OF_FUNCTION, MOST_PARAMETERS, MOST_MODULES = 300, 40, 8, 12
# Tables of records may be as long as there are records.
TABLES = {"config.schema", "models.backbones.keras_applications"}


def modules():
    paths = [path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"]
    return {str(path.relative_to(ROOT).with_suffix("")).replace("/", "."): path for path in paths}


MODULES = modules()


@functools.cache
def imported(path, *, top_only=False):
    """Returns the modules that a file imports, as dotted names, those of functions too."""
    tree = ast.parse(path.read_text())
    names = set()
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def ours(path, *, top_only=False):
    """Returns the modules of tfxfer that a file imports, without the package's name."""
    names = {name.removeprefix("tfxfer.") for name in imported(path, top_only=top_only)}
    return names & (MODULES.keys() | {"tfxfer"})


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_point_downward(name):
    wing = name.split(".")[0]
    for other in ours(MODULES[name]):
        assert other != "tfxfer", f"{name} imports the package; import from the module instead"
        theirs = other.split(".")[0]
        if theirs == wing:
            continue
        below = [w for floor in FLOORS[FLOOR_OF[wing] + 1 :] for w in floor]
        assert theirs in below, (
            f"{name} imports {other}, but '{wing}' may import only itself and {', '.join(below)}"
        )


# What only images need. Texts need none of it, not even by way of what both share.
OF_IMAGES = (
    *("data.image", "data.sources", "data.opening", "data.batches", "data.seen"),
    *("models.backbones", "models.classifier", "models.weights", "models.preprocessing"),
    *("planning.plan", "planning.preflight", "inference.classifier", "evaluation.scoring"),
    *("exporting.serving.signatures", "exporting.verification", "reporting.page"),
    *("ranking", "curation"),
)

# Where the modalities meet.
SEAMS = {"api.modality", "cli.backbones"}


def reached(names):
    """Returns modules and all that they import, directly or not."""
    found, waiting = set(), set(names)
    while waiting:
        found |= waiting
        waiting = set().union(*(ours(MODULES[name]) for name in waiting)) - found
    return found


def is_of(name, wings):
    return any(name == wing or name.startswith(f"{wing}.") for wing in wings)


def test_texts_need_no_image_code():
    texts = [name for name in MODULES if is_of(name, ["text"])]
    assert len(texts) > 20
    assert not [name for name in reached(texts) if is_of(name, OF_IMAGES)]


def test_images_need_no_text_code():
    for name, path in MODULES.items():
        if not is_of(name, ["text"]) and name not in SEAMS:
            assert not [other for other in ours(path) if is_of(other, ["text"])], name


def test_no_modules_import_each_other():
    imports = {name: ours(path) for name, path in MODULES.items()}
    done, waiting = set(), set(imports)
    while ready := {name for name in waiting if imports[name] <= done}:
        done |= ready
        waiting -= ready
    assert not waiting, f"among these, some import each other: {sorted(waiting)}"


def test_nothing_but_the_wings_lies_in_the_package():
    found = {path.name for path in ROOT.iterdir() if path.name != "__pycache__"}
    wings = {wing for wing in FLOOR_OF if (ROOT / wing).is_dir()}
    assert found == wings | {"__init__.py", "errors.py", "version.py", "py.typed"}


def test_private_names_stay_in_their_modules():
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tfxfer"):
                private = [alias.name for alias in node.names if alias.name.startswith("_")]
                assert not set(private) - {"__version__"}, f"{name} imports {private}"


@pytest.mark.parametrize(
    "name", sorted(LIGHT | {n for n in MODULES if n.split(".")[0] in LIGHT_WINGS})
)
def test_what_must_start_at_once_imports_nothing_heavy(name):
    packages = {found.split(".")[0] for found in imported(MODULES[name], top_only=True)}
    assert not packages & HEAVY
    for other in ours(MODULES[name], top_only=True):
        assert other in LIGHT or other.split(".")[0] in LIGHT_WINGS or other.endswith("__init__"), (
            f"{name} must start at once, but imports {other}"
        )


def test_every_module_is_imported_by_tests_of_its_folder():
    for name, path in MODULES.items():
        if path.name == "__init__.py" or name == "version":
            continue
        folder = TESTS / path.relative_to(ROOT).parent
        tests = [*folder.glob("test_*.py"), *TESTS.glob("test_*.py")]
        used = set().union(*(ours(test) for test in tests))
        assert name in used or (folder / f"test_{path.stem}.py").is_file(), (
            f"no test in tests/{folder.relative_to(TESTS)} imports tfxfer.{name}"
        )


def functions(path):
    """Yields each function of a file with its number of lines, without the docstring's."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            docstring = node.body[0] if ast.get_docstring(node) else None
            lines = node.end_lineno - node.lineno + 1
            if docstring is not None:
                lines -= docstring.end_lineno - docstring.lineno + 1
            yield node, lines


def test_no_file_is_long_but_tables():
    lines = {name: path.read_text().count("\n") for name, path in MODULES.items()}
    long = {name: count for name, count in lines.items() if count > MOST_LINES}
    assert not long.keys() - TABLES, f"of more than {MOST_LINES} lines: {long}"


def test_no_function_is_long_or_takes_many_parameters():
    long, many = {}, {}
    for name, path in MODULES.items():
        for node, lines in functions(path):
            arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            names = [one.arg for one in arguments if one.arg not in ("self", "cls")]
            if lines > MOST_LINES_OF_FUNCTION:
                long[f"{name}.{node.name}"] = lines
            if len(names) > MOST_PARAMETERS:
                many[f"{name}.{node.name}"] = len(names)
    assert not long, f"of more than {MOST_LINES_OF_FUNCTION} lines: {long}"
    assert not many, f"of more than {MOST_PARAMETERS} parameters: {many}"


def test_no_folder_has_more_than_a_dozen_modules():
    folders = collections.Counter(
        path.parent.relative_to(ROOT) for path in MODULES.values() if path.name != "__init__.py"
    )
    full = {str(folder): count for folder, count in folders.items() if count > MOST_MODULES}
    assert not full, f"of more than {MOST_MODULES} modules: {full}"


@pytest.mark.parametrize("path", BENCHMARKS, ids=[path.stem for path in BENCHMARKS])
def test_what_a_benchmark_imports_of_the_library_is_there(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "tfxfer":
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names), node.module


def test_there_is_no_assert_in_the_library():
    for path in MODULES.values():
        assert not [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Assert)
        ]
