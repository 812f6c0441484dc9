"""What a source is, whatever its data come from."""

import dataclasses
import hashlib
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.data.contents import NearCopyGroups, as_items
from tfxfer.data.labels.kinds import MULTI_LABEL, MULTI_TASK, NUMERIC, in_words
from tfxfer.data.labels.targets import Labels, are_numbers, are_several, as_bytes
from tfxfer.data.labels.tasks import Tasks
from tfxfer.errors import DataError, UsageError


@dataclass(frozen=True, eq=False)
class Split:
    """Labeled images in an order that is the same each time the data are opened.

    An image is either a scalar string, the content of its file, or uint8 of shape
    (height, width, 3).
    """

    labels: Labels  # one class for each example, several labels, or a number: `labels.targets`
    open_images: Callable[[], tf.data.Dataset]  # num_examples images, in the order of the labels
    describe: Callable[[int], str]  # an example's id for messages: a path, "cifar10 train #123"
    # A digest of what each image is made of, uint8 of shape (num_examples, 16): it changes when the
    # image does, and is the same for the same image in another place or split.
    digests: Callable[[], npt.NDArray[np.uint8]]
    # One image by its index, a graph function of a scalar int64; None where the data can only be
    # read from the first to the last.
    read_image: Callable[[tf.Tensor], tf.Tensor] | None = None
    # Sample weights in training, (num_examples,), at least 0; None weights all equally.
    weights: npt.NDArray[np.float32] | None = None
    # Examples of one group, such as a patient, stay in one split; "" is a group of its own.
    groups: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def sample(self, num_examples: int) -> tf.data.Dataset:
        """Returns up to `num_examples` images.

        They are evenly spaced where images can be read in any order. Elsewhere they are the first,
        for the last may be gigabytes away, and TFDS shuffles examples when it writes them.
        """
        count = min(len(self), num_examples)
        if self.read_image is None:
            return untuned(self.open_images().take(count))
        indices = np.linspace(0, len(self) - 1, count).round().astype(np.int64)
        return untuned(tf.data.Dataset.from_tensor_slices(indices).map(self.read_image))

    def grouped(self, groups: Sequence[str] | None) -> "Split":
        """Returns the split with other groups."""
        return dataclasses.replace(self, groups=groups)

    def select(self, indices: npt.NDArray[np.int64]) -> "Split":
        """Returns the split that has only some of the examples.

        Args:
            indices: Which examples; ascending where the images cannot be read in any order.
        """
        table = np.asarray(indices, np.int64)
        open_all, read = self.open_images, self.read_image
        describe, digests = self.describe, self.digests
        chosen = np.zeros(len(self), np.bool_)
        chosen[table] = True

        def open_images() -> tf.data.Dataset:
            # Nothing is kept but one bit for each example of the whole.
            is_chosen = tf.constant(chosen)
            numbered = open_all().enumerate()
            kept = numbered.filter(lambda i, image: tf.gather(is_chosen, i))
            return kept.map(lambda i, image: image)

        part = Split(
            labels=self.labels[table],
            open_images=open_images,
            describe=lambda index: describe(int(table[index])),
            digests=lambda: digests()[table],
            weights=None if self.weights is None else self.weights[table],
            groups=None if self.groups is None else [self.groups[index] for index in table],
        )
        return part if read is None else part.read_with(lambda i: read(tf.gather(table, i)))

    def read_with(self, read_image: Callable[[tf.Tensor], tf.Tensor]) -> "Split":
        """Returns the same examples, whose images are read by their index.

        Args:
            read_image: From an index, a scalar int64, to its image; a graph function.
        """
        opened = _by_index(len(self), read_image)
        return dataclasses.replace(self, open_images=opened, read_image=read_image)


@dataclass(frozen=True, eq=False)
class Source:
    """Labeled images in splits, with their class names."""

    name: str  # of the dataset or folder; safe as a file name
    class_names: tuple[str, ...]  # of classes or labels, by their indices; or of the target
    splits: Mapping[str, Split]  # "train", "validation" and, where there are such data, "test"
    image_height_width: tuple[int, int]  # the median of a sample of training images
    mirrored: bool = True  # whether an image that is mirrored left to right keeps its label
    notes: tuple[str, ...] = ()  # for the user: what was left out, which splits were held out
    # What opens the data in which the ids of examples are; None where they are paths of files.
    origin: str | None = None
    # Near copies that are to stay in one split; None where none were looked for.
    near_copies: NearCopyGroups | None = None
    # The tasks of which an image has a label each, whose classes are the class names; None else.
    tasks: Tasks | None = None
    # The class names in the order that the data came with, where they were put into another.
    given_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in self.class_names:
            try:
                name.encode()
            except UnicodeEncodeError:
                what_next = "Rename it."
                encoding = sys.getfilesystemencoding()
                if encoding != "utf-8":  # then the name may well be, and Python reads it so
                    what_next = f"Python reads file names as {encoding}: set PYTHONUTF8=1."
                raise UsageError(
                    f"The class name {name!r} is not UTF-8, which model files need. {what_next}"
                ) from None
            if not name.strip() or "\0" in name:
                what = "contains a NUL" if name.strip() else "is only white space"
                raise UsageError(
                    f"The class name {name!r} {what}, which files and programs do not preserve. "
                    "Rename it."
                )
        self._check_distinct()

    @property
    def labels(self) -> list[Labels]:
        """The labels of each split."""
        return [split.labels for split in self.splits.values()]

    @property
    def has_several_labels(self) -> bool:
        """Whether an image may have several labels or none, and not one class."""
        return any(map(are_several, self.labels))

    @property
    def has_numbers(self) -> bool:
        """Whether an image has a number, and not a class."""
        return any(map(are_numbers, self.labels))

    @property
    def special(self) -> str:
        """The kind of labels in one word; empty where an image has one class."""
        kind = MULTI_LABEL if self.tasks is None else MULTI_TASK
        return NUMERIC if self.has_numbers else kind if self.has_several_labels else ""

    @property
    def kind_of_labels(self) -> str:
        """What labels an image has, in words."""
        return in_words(self.special, self.tasks)

    def _check_distinct(self) -> None:
        """Raises a UsageError where two classes have one name."""
        spelled: dict[str, str] = {}
        for name in self.class_names:
            other = spelled.get(canonical(name))
            if other is not None:
                how = "" if other == name else ", spelled in two equivalent ways in Unicode"
                raise UsageError(
                    f"Two classes of '{self.name}' have the name '{name}'{how}. Rename one of "
                    "them, or merge them."
                )
            spelled[canonical(name)] = name

    def fingerprint(self) -> str:
        """Returns a digest of all images with their labels and splits, and of the class names.

        It does not depend on the location or order of the data. All of them are read unless that
        was done before.
        """
        names = self.given_names or self.class_names
        places = np.array([names.index(name) for name in self.class_names], np.int64)
        digest = hashlib.sha256("\n".join(map(canonical, names)).encode())
        for name, split in self.splits.items():
            digest.update(f"\n{name} {len(split)}\n".encode())
            labels = split.labels if self.given_names is None else places[split.labels]
            rows = np.concatenate([split.digests(), as_bytes(labels)], axis=1)
            digest.update(np.sort(as_items(rows)).tobytes())
        return digest.hexdigest()


def in_any_order(
    labels: Labels,
    read_image: Callable[[tf.Tensor], tf.Tensor],
    describe: Callable[[int], str],
    digests: Callable[[], npt.NDArray[np.uint8]],
) -> Split:
    """Returns a split whose images can be read by their index."""
    opened = _by_index(len(labels), read_image)
    return Split(labels, opened, describe, digests, read_image)


def _by_index(
    num_examples: int, read_image: Callable[[tf.Tensor], tf.Tensor]
) -> Callable[[], tf.data.Dataset]:
    return lambda: tf.data.Dataset.range(num_examples).map(read_image, tf.data.AUTOTUNE)


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns a dataset that is closed without waiting.

    The thread that tunes a tf.data dataset wakes after 10 ms, 20 ms, 40 ms ..., at most a minute.
    If the iterator is closed in between, the thread may miss it and sleep on, and closing waits for
    it: in TensorFlow 2.21, 0 or 4.2 s after 6 s of reading, 0 or 22 s after a minute. Without
    tuning, `tf.data.AUTOTUNE` stands for one call per core, which is as fast for our datasets.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def canonical(name: str) -> str:
    """Returns the form of a class name by which classes are told apart.

    Names that Unicode can write in two ways, such as an accented letter as one character or as two,
    are one: macOS gives folders the longer form, and nobody sees the difference.
    """
    return unicodedata.normalize("NFC", name)


def places_of(names: Sequence[str], known: Sequence[str]) -> list[int | None]:
    """Returns where each class name stands among those that are known, None where it does not."""
    places = {canonical(name): place for place, name in enumerate(known)}
    places |= {name: place for place, name in enumerate(known)}  # the very same name comes first
    return [places.get(name, places.get(canonical(name))) for name in names]


def labels_by_name(
    source: str, names: Sequence[str], known: Sequence[str]
) -> npt.NDArray[np.int64]:
    """Returns the label of each class name among those that a model knows, (num_names,).

    Args:
        source: Name of the data, for the message.
        names: The classes of the data.
        known: The classes of the model.

    Raises:
        DataError: The model does not know one of them.
    """
    places = places_of(names, known)
    unknown = [name for name, place in zip(names, places, strict=True) if place is None]
    if unknown:
        raise DataError(
            f"'{source}' has classes that the model does not know: {listed(unknown)}. "
            f"The model knows {listed(known)}."
        )
    return np.array([place or 0 for place in places])


def look_alikes(class_names: Sequence[str]) -> list[str]:
    """Returns notes on classes with names that are easily confused."""
    alike: dict[str, list[str]] = {}
    for name in class_names:
        seen = (
            character
            for character in unicodedata.normalize("NFKC", name)
            if unicodedata.category(character) not in ("Zs", "Zl", "Zp", "Cc", "Cf")
        )
        alike.setdefault("".join(seen).casefold(), []).append(name)
    return [
        "classes whose names differ only in case, white space or invisible characters stay "
        "separate: " + ", ".join(map(ascii, names))
        for names in alike.values()
        if len(names) > 1
    ]


def first_few(names: Sequence[str], one: str = "", many: str = "", limit: int = 5) -> str:
    """Returns a count and the first few names: "7 classes: a, b, c, d, e and 2 more"."""
    shown = ", ".join(names[:limit])
    if len(names) > limit:
        shown += f" and {len(names) - limit:,} more"
    return f"{len(names):,} {one if len(names) == 1 else many}: {shown}"


def shown(name: str) -> str:
    """Returns a class name for people, escaped if it has line breaks or white space at an end."""
    breaks = any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in name)
    return ascii(name) if breaks or name != name.strip() else name


def listed(names: Sequence[str], limit: int = 20) -> str:
    """Returns the first names in a row, as people can tell them apart."""
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(map(shown, names[:limit])) + more
