"""`convert`: writes a classifier as a file that another runtime reads."""

import pathlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tfxfer.errors import UsageError
from tfxfer.exporting.converting import (
    CALIBRATION_IMAGES,
    JUDGED_IMAGES,
    Converted,
    Format,
    check_classes_beside,
    check_converted,
    copy_model,
    output_path,
    pictures,
    reader,
    spread,
)
from tfxfer.exporting.formats import (
    Quantization,
    write_litert,
    write_onnx,
)
from tfxfer.exporting.publishing import load_exportable
from tfxfer.models.objectives import accuracy
from tfxfer.runs.class_names import write_class_names
from tfxfer.system.files import replacing
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import classes_file, seen_file


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

    The file takes images as the model does, RGB in [0, 255] of its own size; see `conversion`. It
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
    if quantization != "none" and kind != "litert":
        raise UsageError(f"Format '{kind}' has no quantization; only 'litert' has.")
    trained = load_exportable(model)
    path = output_path(trained, kind, output, quantization)
    check_classes_beside(path, trained)
    source = trained.open_source(data, data_dir)
    for note in source.notes if data is not None else ():
        say(f"note: {note}")
    # Two answers are compared: any images do where there are none to judge by.
    split = source.judging
    judges = source.splits.get(split) or max(source.everything.values(), key=len)
    judged = spread(judges, JUDGED_IMAGES)
    labels = trained.labels(source, judges)[judged]
    images = pictures(judges, judged, trained.input_size)
    calibration: npt.NDArray[np.uint8] | tuple[()] = ()
    if quantization == "int8":
        train = source.everything["train"]
        calibration = pictures(train, spread(train, CALIBRATION_IMAGES), trained.input_size)
    expected = trained.predict(images)
    with replacing(path) as temporary:
        if kind == "litert":
            write_litert(trained.model, temporary, quantization, calibration)
        elif kind == "onnx":
            write_onnx(trained.model, temporary)
        else:
            copy_model(trained.path, temporary)
        found = reader(kind, temporary, trained)(images)
        converted = Converted(
            path,
            split,
            len(images),
            accuracy(found, labels),
            accuracy(expected, labels),
            float(np.mean(found.argmax(axis=1) == expected.argmax(axis=1))),
            float(np.max(np.abs(found - expected))),
        )
        check_converted(converted, quantization)
    if classes_file(path) != classes_file(trained.path):
        write_class_names(classes_file(path), trained.class_names)
    if kind == "keras" and trained.seen is not None:
        trained.seen.write(seen_file(path))
    return converted
