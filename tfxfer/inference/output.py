"""Predictions as a table, CSV, JSON Lines or Parquet."""

import codecs
import csv
import io
import pathlib
from collections.abc import Iterable, Iterator
from typing import IO, Any, Literal

from tfxfer.errors import OutputError, RunError, UsageError
from tfxfer.inference.prediction import Prediction, as_json, row, table_line, with_columns
from tfxfer.system.files import check_output, is_stream, replacing_named
from tfxfer.system.tables import TableWriter, TextSink

Kind = Literal["table", "csv", "jsonl", "parquet"]

# Rows of a Parquet file that are in memory at once.
_GROUP = 10_000

# Text that is on its way into a file at once.
_SPOOLED_BYTES = 64 * 1024


def write(predictions: Iterable[Prediction], kind: Kind, top: int, file: TextSink) -> None:
    """Writes predictions as they come.

    Args:
        predictions: Each is one line, or one record.
        kind: "table", where those with an error are left out, "csv" or "jsonl".
        top: Maximum number of classes per file.
        file: Where to.
    """
    if kind == "csv":
        predictions, names = with_columns(predictions, top)
        records = TableWriter(file)
        records.writerow(names)
        for prediction in predictions:
            records.writerow(row(prediction, names))
        return
    for prediction in predictions:
        if kind == "jsonl":
            print(as_json(prediction), file=file)
        elif not prediction.error:
            print(table_line(prediction), file=file)


def write_file(
    predictions: Iterable[Prediction],
    kind: Kind,
    top: int,
    path: pathlib.Path,
    otherwise: IO[str] | None = None,
) -> None:
    """Writes predictions into a file, which is there when all are in it.

    Args:
        predictions: Each is one line, or one record.
        kind: As for `write`, or "parquet".
        top: Maximum number of classes per file.
        path: What it held before is replaced.
        otherwise: Fallback for all predictions if the file cannot be written, as CSV in place of
            Parquet. With None the error is raised at once.

    Raises:
        UsageError: The file cannot be written, which is found out before the first prediction is
            asked for, or a package is missing.
        RunError: It could not be written after all.
    """
    check_output(path)
    if kind == "parquet":
        _write_parquet(predictions, top, path, otherwise)
        return
    spool = None
    try:
        with replacing_named(path) as temporary:
            spool = _Spool(temporary, otherwise)
            write(predictions, kind, top, spool)
            spool.flush()
            if spool.failure is not None:
                raise spool.failure
    except OutputError:
        raise
    except RunError as error:
        if spool is None or otherwise is None:
            raise
        spool.give_up()
        raise RunError(f"{error} The predictions were printed instead.") from None
    finally:
        if spool is not None:
            spool.close()


class _Spool:
    """Text on its way into a file or, if that cannot take it, all of it into another one."""

    def __init__(self, path: pathlib.Path, otherwise: IO[str] | None) -> None:
        self._otherwise = otherwise
        # What a pipe or a device took was delivered, and cannot be read again.
        self._is_stream = is_stream(path)
        self._file = path.open("wb" if self._is_stream else "w+b", buffering=0)
        self._pending = bytearray()
        self._gave_up = False
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Takes text; with another file to turn to it does not fail for the file's sake."""
        if self._gave_up and self._otherwise is not None:
            return self._otherwise.write(text)
        self._pending += text.encode("utf-8", "surrogateescape")
        if len(self._pending) >= _SPOOLED_BYTES:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Writes what was taken into the file."""
        try:
            while self._pending:
                written = self._file.write(self._pending)
                del self._pending[:written]
        except OSError as error:
            if self._otherwise is None:
                raise
            self.failure = error
            self.give_up()

    def give_up(self) -> None:
        """Gives all that was taken so far to the other file, once."""
        if self._gave_up or self._otherwise is None:
            return
        self._gave_up = True
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        if not self._is_stream:
            self._file.seek(0)
            while content := self._file.read(_SPOOLED_BYTES):
                self._otherwise.write(decoder.decode(content))
        self._otherwise.write(decoder.decode(bytes(self._pending), final=True))
        self._pending.clear()

    def close(self) -> None:
        """Closes the file; what was not written into it yet is not."""
        self._file.close()


def _write_parquet(
    predictions: Iterable[Prediction], top: int, path: pathlib.Path, otherwise: IO[str] | None
) -> None:
    """Writes a Parquet file; it is small, so that it is made in memory and can still be read."""
    _, parquet = _import_parquet()
    content = io.BytesIO()
    _write_parquet_into(predictions, top, content)
    try:
        with replacing_named(path) as temporary:
            temporary.write_bytes(content.getbuffer())
    except (RunError, UsageError) as error:
        if otherwise is None:
            raise
        records = csv.writer(otherwise, lineterminator="\n")
        records.writerow(parquet.ParquetFile(content).schema_arrow.names)
        for batch in parquet.ParquetFile(content).iter_batches(_GROUP):
            records.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))
        raise RunError(f"{error} The predictions were printed instead, as CSV.") from None


def _write_parquet_into(predictions: Iterable[Prediction], top: int, target: IO[bytes]) -> None:
    pyarrow, parquet = _import_parquet()
    predictions, names = with_columns(predictions, top)
    schema = pyarrow.schema([(name, _type_of(name, pyarrow)) for name in names])
    with parquet.ParquetWriter(target, schema) as file:
        for group in _grouped(predictions):
            rows = [row(prediction, names) for prediction in group]
            # Parquet's text is UTF-8: other characters of a path are replaced.
            for values in rows:
                values[0] = values[0].encode("utf-8", "replace").decode()
            file.write_table(
                pyarrow.table([list(values) for values in zip(*rows, strict=True)], schema)
            )


def check_parquet() -> None:
    """Raises a UsageError where Parquet files cannot be written."""
    _import_parquet()


def _import_parquet() -> tuple[Any, Any]:
    """Returns PyArrow, which is an extra."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(
            "To write Parquet the package 'pyarrow' is needed: pip install 'tfxfer[parquet]'."
        ) from None
    return pyarrow, parquet


def _grouped(predictions: Iterable[Prediction]) -> Iterator[list[Prediction]]:
    group = []
    for prediction in predictions:
        group.append(prediction)
        if len(group) == _GROUP:
            yield group
            group = []
    if group:
        yield group


def _type_of(column: str, pyarrow: Any) -> Any:
    """Returns the type of a column of a Parquet file."""
    if column == "unknown":
        return pyarrow.bool_()
    if (
        column in ("unknown_score", "value")
        or column.startswith("probability")
        or column.endswith("_probability")
    ):
        return pyarrow.float32()
    return pyarrow.string()
