"""`convert`: writes a classifier as a file that another runtime reads."""

import pathlib
from collections.abc import Callable

from tfxfer.exporting.converting import Converted, Format, Target, write_converted
from tfxfer.exporting.litert import Quantization
from tfxfer.exporting.publishing import load_exportable, open_and_tell
from tfxfer.system.isolation import isolated


@isolated
def convert(
    model: str | pathlib.Path,
    kind: Format,
    *,
    output: str | pathlib.Path | None = None,
    quantization: Quantization = "none",
    data: str | None = None,
    data_dir: str | None = None,
    say: Callable[[str], None] = print,
) -> Converted:
    """Returns a file of a run or a `.keras` file in another format, and what it loses there.

    The file takes images as the model does, RGB in [0, 255] of its own size; see `formats`. It
    is asked about up to 500 images of the test split, or validation where there is no test, and is
    there only if its answers are the model's: probabilities within 1e-4 or, of fewer bits, the same
    class for nine of ten images.

    Args:
        model: A run's directory, or a `.keras` file with `classes.txt` beside it.
        kind: "keras", a copy that is loaded and asked; "litert"; or "onnx".
        output: The file; None takes `model.tflite`, say, beside the model. Class names are written
            beside it, as `classes.txt`.
        quantization: For "litert"; "int8" is calibrated on 200 training images.
        data: Where the images come from; None takes the run's own.
        data_dir: Where TFDS data lie; None takes the run's own.
        say: Takes what must be known of other data than the run's own, for the person who watches.

    Raises:
        UsageError: The model or the data are not there, a package is missing, or the file's name is
            none of this format.
        DataError: The data's classes are not the model's, or images cannot be read.
        ExportError: The model cannot be converted, or the file's answers are others.
    """
    target = Target(kind, quantization, output)
    trained = load_exportable(model)
    path = target.path(trained)
    source = open_and_tell(trained, data, data_dir, say)
    return write_converted(trained, source, target, path)
