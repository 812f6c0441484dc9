import ast
import pathlib
import shutil

import tfxfer
from tfxfer.system import digests
from tfxfer.system.digests import code_digest

DECODING, AUGMENTATION = "data.image.decoding", "data.image.augmentation.changes"


def test_the_code_of_other_modules_has_another_digest():
    assert code_digest(DECODING, AUGMENTATION) == code_digest(AUGMENTATION, DECODING)
    assert len({code_digest(DECODING), code_digest(AUGMENTATION), code_digest("errors")}) == 3


def test_the_digest_depends_on_what_the_modules_import_and_on_nothing_else(tmp_path, monkeypatch):
    package = tmp_path / "tfxfer"
    shutil.copytree(pathlib.Path(tfxfer.__file__).parent, package)
    monkeypatch.setattr(digests, "__file__", str(package / "system" / "digests.py"))

    def changes(module):
        path = package.joinpath(*module.split(".")).with_suffix(".py")
        source = path.read_text()
        digests._with_imports.cache_clear()
        before = code_digest("models.classifier", DECODING)
        path.write_text(source + "\n# changed\n")
        after = code_digest("models.classifier", DECODING)
        path.write_text(source)
        return after != before

    imported = ["data.image.formats.jpeg", "data.image.formats.cmyk", "models.folding.each_step"]
    imported += ["models.weights", "models.weight_files", "models.preprocessing", "models.heads"]
    assert all(changes(module) for module in ["models.classifier", DECODING, *imported])
    assert not any(
        changes(module) for module in ["data.cache", "training.frozen.features", "cli.app"]
    )
    digests._with_imports.cache_clear()


def test_all_imports_are_found_that_a_parser_finds():
    root = pathlib.Path(tfxfer.__file__).parent
    for file in root.rglob("*.py"):
        parsed = set()
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tfxfer":
                package = root.parent.joinpath(*node.module.split("."))
                parsed |= {package.with_suffix(".py")}
                parsed |= {package / f"{alias.name}.py" for alias in node.names}
        assert {path for path in parsed if path.is_file()} <= {*digests._imported_files(file)}, file
