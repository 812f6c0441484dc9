"""`convert`: converts a classifier to a file for another runtime."""

import pathlib
from collections.abc import Callable

from tfxfer.api.modality import by_model
from tfxfer.exporting.converting import Converted, Format, Target, write_converted
from tfxfer.exporting.litert import Quantization
from tfxfer.exporting.publishing import load_exportable, open_and_tell
from tfxfer.system.isolation import isolated


@isolated
@by_model
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
    """Converts a run or a `.keras` file to another format, and verifies the result.

    The file takes the same input as the model: RGB in [0, 255], at the model's own size. It is
    compared with the model on up to 500 images of the test split, or of validation without one, and
    kept only if probabilities agree within 1e-4 or, if quantized, the class agrees for 90% of the
    images.

    Args:
        model: A run's directory, or a `.keras` file with `classes.txt` next to it.
        kind: "keras" (a verified copy), "litert" or "onnx".
        output: Output file; by default next to the model, such as `model.tflite`. Class names are
            written next to it, as `classes.txt`.
        quantization: For "litert"; "int8" is calibrated on 200 training images.
        data: Data for the comparison; by default the run's own.
        data_dir: Directory of TFDS datasets; by default the run's own.
        say: Called with each note on data other than the run's own.

    Returns:
        The path of the file and its deviation from the model.

    Raises:
        UsageError: The model or the data do not exist, a package is missing, or the file name does
            not match the format.
        DataError: The data have other classes than the model, or unreadable images.
        ExportError: The model cannot be converted, or the file's outputs differ.

    Examples:
        >>> from tfxfer.api.convert import convert
        >>> converted = convert("runs/digits-resnet10_small", "litert")  # doctest: +SKIP
    """
    target = Target(kind, quantization, output)
    trained = load_exportable(model)
    path = target.path(trained)
    source = open_and_tell(trained, data, data_dir, say)
    return write_converted(trained, source, target, path)
