"""Every setting of a run as the user gives it: its name, type, default, limits and help.

A setting that is `None` is open: where `decided.py` has the same name without `| None`, a rule
decides it; elsewhere None has the meaning that its help says. The same names are used everywhere:
the field `head.epochs` is `epochs` under `[head]` in a recipe and `--head-epochs` on the command
line.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar

from tfxfer.config.frame import (
    MOST_CHANNELS,
    RGB,
    AnySize,
    AskedFit,
    Frame,
    as_size,
    settled,
    sides,
)
from tfxfer.config.paths import expand_user
from tfxfer.config.settings import (
    changed,
    check_value,
    fields_of,
    setting,
    setting_keys,
)
from tfxfer.errors import UsageError

Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
Xla = Literal["auto", "on", "off"]
ClassWeights = Literal["none", "balanced"]
BadImages = Literal["error", "skip"]
Effort = Literal["quick", "standard", "thorough"]
AugmentPolicy = Literal["none", "trivial", "rand"]
WeightAveraging = Literal["none", "soup", "wise"]
TestTimeViews = Literal["none", "flip"]
LabelKind = Literal["auto", "single", "multi"]
LabelLoss = Literal["cross-entropy", "asymmetric"]

GIGABYTE = 10**9

# The name of the data that need no download, for the setting `data`.
BUNDLED_DATA = "digits"

# The backbone that is chosen by a ranking, for the setting `backbone` of a fit.
AUTO = "auto"

# All devices that are visible, for the setting `devices`.
ALL_DEVICES = "all"

# The settings that say how the labels of data are read.
LABEL_SETTINGS = ("labels", "label_separator", "label_columns", "tasks", "target")

# These, and what else says how data are read.
READING_SETTINGS = ("channels", *LABEL_SETTINGS)

# How the losses of several tasks are weighted, besides numbers, for the setting `task_weights`.
UNCERTAINTY, EQUAL = "uncertainty", "equal"

# What separates the labels in a cell of a manifest, unless the setting says otherwise.
LABEL_SEPARATOR = "|"

# The columns of a manifest that mean something else than a task.
TAKEN_COLUMNS = ("path", "split", "weight", "group", "missing", "source", "suspect")

# The settings of gradient methods, which L-BFGS does not have.
GRADIENT_SETTINGS = ("learning_rate", "warmup_epochs", "weight_decay", "clip_norm")

# The settings that only ever change how the backbone is fine-tuned, with what changes nothing.
NEUTRAL_FINETUNING = {
    "head_rate": 1.0,
    "layer_decay": 1.0,
    "ema": 0.0,
    "echo": 1,
    "average": "none",
    "gradual": False,
}

# The headings of `--help`, in their order.
(
    _DATA,
    _BACKBONE,
    _TEXT,
    _TRAINING,
    _HEAD,
    _FINETUNING,
    _AUGMENTATION,
    _PERFORMANCE,
    _RUN,
) = GROUPS = (
    "Data",
    "Backbone and weights",
    "Text",
    "Training",
    "Head",
    "Fine-tuning",
    "Augmentation",
    "Performance",
    "Run and output",
)

AnyConfig = TypeVar("AnyConfig", bound="RunConfig")


@dataclass(frozen=True)
class PhaseConfig:
    """How one phase is trained.

    The learning rate warms up linearly from zero. Weight decay applies to kernels only.
    """

    epochs: int | None = setting(None, "Passes over the training images.", minimum=0)
    optimizer: Literal["sgd", "adam", "adamw", "lbfgs"] | None = setting(None, "Optimizer.")
    learning_rate: float | None = setting(None, "Peak learning rate.", group=_TRAINING, above=0)
    warmup_epochs: float | None = setting(
        None, "Epochs of linear learning rate warmup.", group=_TRAINING, minimum=0
    )
    decay: Literal["cosine", "constant"] = setting(
        "cosine", "Learning rate schedule after warmup.", group=_TRAINING
    )
    momentum: float = setting(0.9, "SGD momentum.", group=_TRAINING, minimum=0, below=1)
    nesterov: bool = setting(False, "Use Nesterov momentum with SGD.")
    weight_decay: float | None = setting(
        None, "Decoupled weight decay.", group=_TRAINING, minimum=0
    )
    clip_norm: float | None = setting(
        None, "Clip the global gradient norm to this; 0 disables.", group=_TRAINING, minimum=0
    )


@dataclass(frozen=True)
class HeadConfig(PhaseConfig):
    """The new layers, and the phase that trains them while the backbone is frozen.

    `lbfgs` trains a head without hidden layers to convergence. An epoch is then one iteration, a
    pass over the training images, and `epochs` limits the iterations for each L2 penalty. It has no
    learning rate, warmup, weight decay or gradient clipping.
    """

    epochs: int | None = setting(
        None,
        "Epochs, or L-BFGS iterations, with the backbone frozen; 0 skips this phase.",
        minimum=0,
    )
    optimizer: Literal["sgd", "adam", "adamw", "lbfgs"] | None = setting(
        None, "Optimizer. L-BFGS trains a head without hidden layers to convergence."
    )
    penalty: float | None = setting(
        None, "L2 penalty on the weights, for L-BFGS.", unset="chosen on validation", minimum=0
    )
    augmented_views: int = setting(
        0, "Augmented versions of each image to add to the training features.", minimum=0
    )
    pooling: Literal["average", "max", "both", "flatten"] = setting(
        "average", "How feature maps become a feature vector."
    )
    stages: str | None = setting(
        None,
        "Stages of the backbone that the head reads: a number of last stages, 'all', or names "
        "separated by commas; `tfxfer backbones NAME` lists them.",
        unset="the last one",
    )
    hidden_units: tuple[int, ...] = setting(
        (), "Units of a hidden layer. Repeat the option for more layers.", minimum=1
    )
    dropout: float | None = setting(None, "Dropout rate before the last layer.", minimum=0, below=1)


@dataclass(frozen=True)
class FinetuneConfig(PhaseConfig):
    """The phase that trains part or all of the backbone together with the head."""

    epochs: int | None = setting(
        None, "Epochs with the backbone unfrozen; 0 skips this phase.", common=True, minimum=0
    )
    optimizer: Literal["sgd", "adam", "adamw"] | None = setting(None, "Optimizer.")
    unfreeze: str | None = setting(
        None,
        "Part of the backbone to train: 'all', 'none', or a stage with all later ones; "
        "`tfxfer backbones NAME` lists the stages.",
        common=True,
        short="--unfreeze",
    )
    batch_norm: Literal["frozen", "adapt"] | None = setting(
        None,
        "BatchNorm in the part of the backbone that is trained: 'frozen' keeps its statistics and "
        "parameters from pretraining, 'adapt' updates both.",
        short="--batch-norm",
    )
    gradual: bool = setting(
        False,
        "Unfreeze gradually: train the last stage first, then one stage more at a time. The epochs "
        "are divided among the stages.",
    )
    head_rate: float = setting(
        1.0, "Learning rate of the head, as a multiple of the backbone's.", above=0
    )
    layer_decay: float = setting(
        1.0,
        "Layer-wise learning rate decay: each stage uses the learning rate of the next stage "
        "times this.",
        above=0,
        maximum=1,
    )
    ema: float | None = setting(
        None,
        "Momentum of the exponential moving average (EMA) of the weights, which is evaluated and "
        "saved; 0 disables.",
        minimum=0,
        below=1,
    )
    echo: int | None = setting(
        None,
        "Epochs that see the same augmented views of the images (data echoing), where part of the "
        "backbone stays frozen: what it gives of a view is then computed once, if that of all "
        "views fits into --memory-gigabytes. 1 makes new views in each epoch.",
        minimum=1,
    )
    average: WeightAveraging = setting(
        "none",
        "Average weights after fine-tuning, if that lowers the validation loss: 'soup' averages "
        "the best epochs or, with --effort standard, the configurations tried; 'wise' (WiSE-FT) "
        "those before and after fine-tuning. --effort thorough tries both in any case.",
    )
    patience: int = setting(
        0, "Epochs without a better validation result before early stopping; 0 disables.", minimum=0
    )

    @property
    def num_views(self) -> int:
        """Augmented views of each image that epochs see again; 0 for new ones in each epoch."""
        if self.gradual or self.unfreeze == "all" or not (self.epochs and self.echo):
            return 0
        views = -(-self.epochs // self.echo)
        return views if views < self.epochs else 0


@dataclass(frozen=True)
class AugmentConfig:
    """Random augmentation of the images that the backbone is trained on."""

    flip: bool | None = setting(None, "Flip half of the images horizontally.")
    shift: float | None = setting(
        None, "Maximum shift, as a fraction of the image side.", minimum=0, below=1
    )
    zoom: float | None = setting(None, "Maximum zoom in or out, as a fraction.", minimum=0, below=1)
    rotation: float | None = setting(None, "Maximum rotation in degrees.", minimum=0, maximum=180)
    crop: float = setting(
        1.0,
        "Random resized crops: minimum crop area as a fraction of the image, such as 0.2. Replaces "
        "shift and zoom; 1 disables.",
        above=0,
        maximum=1,
    )
    policy: AugmentPolicy = setting(
        "none",
        "'trivial' (TrivialAugment) also applies one random transformation per image: color, "
        "sharpness, rotation, translation or shear. 'rand' (RandAugment) applies two, of a fixed "
        "strength.",
    )
    mixup: float = setting(
        0.0,
        "MixUp: train on weighted averages of two images, with weights drawn from Beta(A, A), "
        "where A is this value, such as 0.2; 0 disables.",
        minimum=0,
        maximum=100,
    )
    cutmix: float = setting(
        0.0,
        "CutMix: paste a box of another training image into each, with areas drawn from "
        "Beta(A, A), where A is this value, such as 1; 0 disables. With MixUp, each batch uses "
        "one of the two at random.",
        minimum=0,
        maximum=100,
    )

    def check(self) -> None:
        """Raises a UsageError if two settings contradict each other."""
        for name in ("shift", "zoom"):
            if self.crop < 1 and getattr(self, name):
                raise UsageError(
                    f"Setting 'augment.crop' is {self.crop:g}, and random crops replace shift and "
                    f"zoom, but 'augment.{name}' is {getattr(self, name):g}. Leave it out or set "
                    "it to 0, or set 'augment.crop' to 1."
                )

    @property
    def makes_views(self) -> bool:
        """Whether images have more views than themselves and their mirror images, and are alone."""
        moves = self.shift or self.zoom or self.rotation
        changes = moves or self.crop < 1 or self.policy != "none"
        return bool(changes) and not (self.mixup or self.cutmix)


@dataclass(frozen=True)
class TextConfig:
    """The words and layers of a text backbone. Image backbones have none of these."""

    max_words: int | None = setting(
        None,
        "Maximum words per text, or tokens of an encoder; longer texts are truncated.",
        minimum=1,
        maximum=100_000,
    )
    vocabulary: int | None = setting(
        None, "Maximum number of words in the vocabulary.", minimum=10, maximum=1_000_000
    )
    dimensions: int | None = setting(
        None, "Dimensions of the word embeddings.", minimum=1, maximum=4096
    )
    units: int | None = setting(
        None,
        "Units of lstm and gru in each direction; filters per kernel width of textcnn.",
        minimum=1,
        maximum=4096,
    )
    dropout: float | None = setting(
        None,
        "Dropout rate on the word embeddings; in all layers of an encoder.",
        minimum=0,
        below=1,
    )
    encoding: str = setting(
        "utf-8", "Encoding of the text files, such as latin-1.", short="--encoding"
    )
    vectors: str | None = setting(
        None,
        "File of pretrained word vectors: GloVe, word2vec text or fastText .vec, also gzipped.",
        unset="random",
        short="--vectors",
        is_path=True,
    )


def _as_text(value: Any) -> Any:
    """Returns a whole number as text, and anything else as it is."""
    return str(value) if type(value) is int else value


@dataclass(frozen=True)
class RunConfig:
    """The settings of every run: its data, its backbone, and where its results go.

    Raises:
        UsageError: A value is of the wrong type, outside its limits, or contradicts another.
    """

    data: str = setting(
        "",
        "A folder with one subfolder per class, a manifest (.csv, .jsonl), TFRecord files, or the "
        "URL of one (s3://, gs://); the name of a TFDS dataset, 'hf:NAME' for a Hugging Face "
        f"dataset, or '{BUNDLED_DATA}' (bundled).",
        group=_DATA,
        common=True,
        is_path=True,
    )
    data_dir: str | None = setting(
        None,
        "Folder of the TFDS datasets.",
        group=_DATA,
        unset="TFDS_DATA_DIR, else the default of TFDS",
        is_path=True,
    )
    validation_fraction: float | None = setting(
        None,
        "Fraction of the training images to hold out for validation, if the data have no "
        "validation split.",
        group=_DATA,
        above=0,
        below=1,
    )
    test_fraction: float | None = setting(
        None,
        "Fraction of the training images to hold out for testing, if the data have neither a "
        "validation nor a test split.",
        group=_DATA,
        above=0,
        below=1,
    )
    train_examples: int | None = setting(
        None,
        "Use at most this many training images, sampled with stratification by class.",
        group=_DATA,
        unset="all",
        minimum=1,
    )
    validation_examples: int | None = setting(
        None, "Use at most this many validation images.", group=_DATA, unset="all", minimum=1
    )
    test_examples: int | None = setting(
        None, "Use at most this many test images.", group=_DATA, unset="all", minimum=1
    )
    labels: LabelKind = setting(
        "auto",
        "Labels per image in a manifest or dataset: 'single' is one class, 'multi' any number of "
        "labels; 'auto' detects it.",
        group=_DATA,
    )
    label_separator: str = setting(
        LABEL_SEPARATOR, "Separator of the labels in a manifest cell.", group=_DATA
    )
    label_columns: str | None = setting(
        None,
        "Label columns of a manifest, with values 0 or 1, separated by commas: 'cat,dog'.",
        group=_DATA,
        unset="none",
    )
    tasks: str | None = setting(
        None,
        "Task columns of a manifest or dataset, each with a class for each image, separated by "
        "commas: 'species,health'. One model learns them all (multi-task).",
        group=_DATA,
        unset="none",
    )
    target: str | None = setting(
        None,
        "Column of a manifest or dataset with a number for each image, such as 'price', which the "
        "model predicts (regression).",
        group=_DATA,
        unset="none",
    )
    bad_images: BadImages = setting(
        "error", "Unreadable images: stop before training, or skip them.", group=_DATA
    )
    backbone: str = setting(
        "resnet50",
        "Network; `tfxfer backbones` lists them.",
        group=_BACKBONE,
        common=True,
    )
    image_size: AnySize | None = setting(
        None,
        "Size of the image fed to the backbone, in pixels: the side of a square, or height x width "
        "as '224x320'.",
        group=_BACKBONE,
        is_size=True,
        minimum=8,
        maximum=4096,
    )
    input_size: AnySize | None = setting(
        None,
        "Size of the model's input in pixels. If it is smaller than --image-size, the model "
        "upsamples its input to that before the backbone. The aspect ratios must be the same.",
        group=_BACKBONE,
        is_size=True,
        minimum=1,
        maximum=4096,
    )
    fit_images: AskedFit = setting(
        "auto",
        "How an image of another aspect ratio is fitted into the model's input: cropped to its "
        "center ('crop'), stretched ('stretch'), or padded with gray ('pad'). By default `fit` "
        "crops, unless that cuts off much and a head does clearly better on stretched images.",
        group=_BACKBONE,
    )
    channels: int = setting(
        RGB,
        "Channels of the images: 3 for RGB, 1 for gray, other numbers for multispectral images in "
        ".npy or TIFF files. The first layer of the backbone is adapted.",
        group=_BACKBONE,
        minimum=1,
        maximum=MOST_CHANNELS,
    )
    text: TextConfig = setting(TextConfig(), "Words and layers of a text backbone.", group=_TEXT)
    batch_size: int | None = setting(
        None, "Images per batch.", group=_TRAINING, common=True, minimum=1
    )
    label_smoothing: float | None = setting(
        None,
        "Fraction of each target that is spread over all classes.",
        group=_TRAINING,
        minimum=0,
        below=1,
    )
    precision: Precision = setting(
        "auto",
        "Precision of the backbone's computations. 'auto' is 16 bits on a GPU that is faster with "
        "it, else float32.",
        group=_PERFORMANCE,
    )
    xla: Xla = setting(
        "auto",
        "Compile training steps with XLA: takes a minute, then about twice as fast on a GPU. "
        "'auto' does so for long fits on a GPU.",
        group=_PERFORMANCE,
    )
    devices: str = setting(
        ALL_DEVICES,
        "GPUs that train: 'all' that are visible, or how many of them. Each batch is divided among "
        "them.",
        group=_PERFORMANCE,
    )
    memory_gigabytes: float = setting(
        2.0,
        "Maximum memory for decoded images, and the same amount for features.",
        group=_PERFORMANCE,
        minimum=0,
    )
    cache_gigabytes: float = setting(
        10.0,
        "Maximum disk space of the cache that all runs share, and the same amount for copies of "
        "files at URLs; 0 disables it.",
        group=_PERFORMANCE,
        minimum=0,
    )
    cache_dir: str | None = setting(
        None,
        "Folder of the cache of features and decoded images.",
        group=_PERFORMANCE,
        unset="TFXFER_CACHE_DIR, else ~/.cache/tfxfer",
        is_path=True,
    )
    seed: int = setting(
        0,
        "Random seed for splits, shuffling, augmentation and initial weights.",
        group=_TRAINING,
        minimum=0,
        maximum=2**31 - 1,
    )
    checkpoint_minutes: float = setting(
        5.0,
        "Minutes between checkpoints within an epoch; 0 saves only after each epoch.",
        group=_RUN,
        minimum=0,
    )
    max_minutes: float | None = setting(
        None,
        "Time budget for training. If needed, fewer epochs are run, with the learning rate "
        "schedule shortened to match.",
        group=_RUN,
        common=True,
        unset="no limit",
        above=0,
    )
    run: str | None = setting(
        None, "Name of the run.", group=_RUN, common=True, unset="from data and backbone"
    )
    runs_dir: str = setting("runs", "Folder of the runs.", group=_RUN, is_path=True)

    def __post_init__(self) -> None:
        for name, field in fields_of(self).items():
            if field.metadata.get("is_size"):
                object.__setattr__(self, name, as_size(getattr(self, name)))
        object.__setattr__(self, "devices", _as_text(self.devices))
        for key in setting_keys(type(self)):
            check_value(type(self), key, self.get(key))
        self._check_shapes()
        for name, field in fields_of(self).items():
            path = getattr(self, name)
            if field.metadata.get("is_path") and path:
                object.__setattr__(self, name, expand_user(path, f"Setting '{name}'"))
        vectors = self.text.vectors
        if vectors:
            expanded = expand_user(vectors, "Setting 'text.vectors'")
            object.__setattr__(self, "text", dataclasses.replace(self.text, vectors=expanded))

        self._check_devices()
        self._check_labels()

    @property
    def frame(self) -> Frame:
        """What the model takes, and how images are fitted into it.

        Raises:
            UsageError: The size is open.
        """
        if self.input_size is None:
            raise UsageError("Setting 'input_size' has no value. That of a run must have one.")
        return Frame.of(self.input_size, settled(self.fit_images), self.channels)

    def _check_shapes(self) -> None:
        """Raises a UsageError if the model would have to distort its input for the backbone."""
        if self.image_size is None or self.input_size is None:
            return
        (height, width), (rows, columns) = sides(self.image_size), sides(self.input_size)
        if abs(height * columns - width * rows) > max(height, width):  # less than a pixel off
            raise UsageError(
                f"Setting 'image_size' is {self.image_size} and 'input_size' {self.input_size}, "
                "which have different shapes. Give both the same aspect ratio, or leave out "
                "'input_size'."
            )

    def _check_devices(self) -> None:
        """Raises a UsageError if the devices are neither all nor a number of at least 1."""
        number = self.devices if self.devices.isascii() and self.devices.isdecimal() else "0"
        if self.devices != ALL_DEVICES and int(number) < 1:
            raise UsageError(
                f"Setting 'devices' is '{self.devices}'; it must be '{ALL_DEVICES}' or a whole "
                "number of at least 1."
            )

    def _check_labels(self) -> None:
        """Raises a UsageError if the settings of labels contradict each other."""
        if not self.label_separator.strip():
            raise UsageError(
                "Setting 'label_separator' is empty or white space; it must be a text such as "
                f"'{LABEL_SEPARATOR}' or ';'."
            )
        if self.target is not None:
            self._check_target(self.target)
        if self.tasks is not None:
            self._check_tasks(self.tasks)
        if self.label_columns is None:
            return
        if self.labels == "single":
            raise UsageError(
                "Setting 'label_columns' gives each image several labels, but 'labels' is "
                "'single'. Leave one of them out."
            )
        names = self.names_of_label_columns
        if "" in names or len(set(map(str.lower, names))) < max(2, len(names)):
            raise UsageError(
                f"Setting 'label_columns' is '{self.label_columns}'; it must be at least 2 "
                "different names of columns, separated by commas, such as 'cat,dog'. For one "
                "label, use a column 'label' with two classes."
            )

    def _check_target(self, target: str) -> None:
        """Raises a UsageError unless the target is the name of a column, and the only label."""
        for name, neutral in (("labels", "auto"), ("label_columns", None), ("tasks", None)):
            if getattr(self, name) != neutral:
                raise UsageError(
                    f"Setting 'target' gives each image a number, but '{name}' is "
                    f"'{getattr(self, name)}'. Leave one of them out."
                )
        if target != target.strip() or not target or target.lower() in TAKEN_COLUMNS:
            raise UsageError(
                f"Setting 'target' is '{target}'; it must be the name of a column other than "
                f"{', '.join(TAKEN_COLUMNS)}."
            )

    def _check_tasks(self, tasks: str) -> None:
        """Raises a UsageError unless the tasks are names of columns, and the only labels."""
        for name, neutral in (("labels", "auto"), ("label_columns", None)):
            if getattr(self, name) != neutral:
                raise UsageError(
                    f"Setting 'tasks' gives each image a label for each task, but '{name}' is "
                    f"'{getattr(self, name)}'. Leave one of them out."
                )
        names = self.names_of_tasks
        if "" in names or len(set(map(str.lower, names))) < max(2, len(names)):
            raise UsageError(
                f"Setting 'tasks' is '{tasks}'; it must be at least 2 different names of columns, "
                "separated by commas, such as 'species,health'. For one task, use a column 'label'."
            )
        for name in names:
            if "=" in name or name.lower() in TAKEN_COLUMNS:
                raise UsageError(
                    f"Setting 'tasks' names the column '{name}'; a task can have neither a '=' in "
                    f"its name nor one of the names {', '.join(TAKEN_COLUMNS)}. Rename the column."
                )

    @property
    def names_of_tasks(self) -> tuple[str, ...]:
        """The columns of a manifest that are tasks; empty if there are none."""
        return () if self.tasks is None else tuple(map(str.strip, self.tasks.split(",")))

    @property
    def names_of_label_columns(self) -> tuple[str, ...]:
        """The columns of a manifest that are labels; empty if there are none."""
        if self.label_columns is None:
            return ()
        return tuple(name.strip() for name in self.label_columns.split(","))

    @property
    def memory_bytes(self) -> float:
        """Maximum memory for decoded images, and again for features, in bytes."""
        return self.memory_gigabytes * GIGABYTE

    def get(self, key: str) -> Any:
        """Returns the value of a setting by its dotted key, such as `head.epochs`."""
        value: Any = self
        for name in key.split("."):
            value = getattr(value, name)
        return value

    def with_settings(self, settings: Mapping[str, Any], origin: str = "") -> Self:
        """Returns a copy with some settings changed.

        Args:
            settings: New values, nested as in a recipe: `{"seed": 1, "head": {"epochs": 5}}`.
            origin: The file the settings come from, for messages.

        Raises:
            UsageError: A key is unknown or a value is not allowed.
        """
        return changed(self, settings, origin)


@dataclass(frozen=True)
class FitConfig(RunConfig):
    """The settings of a fit: what it computes and where its results go."""

    backbone: str = setting(
        "resnet50",
        "Pretrained network; `tfxfer backbones` lists them. 'kerashub:NAME' is a KerasHub preset, "
        "'kerashub:DIRECTORY' a directory with a saved preset, a timm or a transformers model. "
        "'auto' ranks "
        "those that are available locally and takes the best.",
        group=_BACKBONE,
        common=True,
    )
    weights: str | None = setting(
        None,
        "Initial weights: 'none' for random, or a .h5, .weights.h5 or .keras file; for "
        "EfficientNet-Lite also a .pth file, for texts also the directory of a run.",
        group=_BACKBONE,
        unset="the pretrained weights of the backbone",
        is_path=True,
    )
    group_near_copies: bool = setting(
        False,
        "Keep near-duplicates, such as several photographs of one object, in one split. They are "
        "found by the features of the backbone before splitting.",
        group=_DATA,
    )
    ordered: bool = setting(
        False,
        "Ordinal classes, such as grades: confusing neighbors costs less than confusing distant "
        "classes (CORAL). The order is numeric, or that of --class-order.",
        group=_DATA,
    )
    class_order: str | None = setting(
        None,
        "Order of the classes, lowest first, separated by commas: 'bad,fair,good'.",
        group=_DATA,
        unset="numeric",
    )
    class_weights: ClassWeights = setting(
        "none",
        "'balanced' weights classes inversely to their frequency, for imbalanced data.",
        group=_TRAINING,
        common=True,
    )
    label_loss: LabelLoss = setting(
        "cross-entropy",
        "Loss of multi-label data. 'asymmetric' (Ridnik et al. 2021) gives less weight to "
        "negatives, most of all to easy ones; it helps with many rare labels.",
        group=_TRAINING,
    )
    task_weights: str = setting(
        EQUAL,
        "Weights of the losses of several tasks: 'equal', 'uncertainty' (Kendall et al. 2018), or "
        "a number for each task, such as '1,0.5'.",
        group=_TRAINING,
    )
    effort: Effort = setting(
        "standard",
        "'quick' fine-tunes once; 'standard' tries several configurations and keeps the "
        "best on validation; 'thorough' tries more configurations, and averages of their weights, "
        "within --max-minutes, which it requires.",
        group=_FINETUNING,
        common=True,
    )
    find_rate: bool = setting(
        False,
        "Run a learning rate range test before fine-tuning: plot the loss over rising learning "
        "rates in the report and suggest one, which the fit itself does not use.",
        group=_FINETUNING,
    )
    export_dir: str = setting("saved_models", "Folder of the exports.", group=_RUN, is_path=True)
    calibrate: bool = setting(
        False, "Export calibrated probabilities (temperature scaling).", group=_RUN
    )
    unknown: bool = setting(
        False,
        "Also detect unknown (out-of-distribution) images, and predict sets of classes (conformal "
        "prediction). Half of the validation images are set aside to calibrate both.",
        group=_RUN,
    )
    unknown_rate: float = setting(
        0.05,
        "With --unknown: target false alarm rate, the fraction of images like the training images "
        "that are called unknown.",
        group=_RUN,
        above=0,
        below=1,
    )
    coverage: float = setting(
        0.9,
        "With --unknown: target fraction of prediction sets that contain the true class.",
        group=_RUN,
        above=0,
        below=1,
    )
    test_time_views: TestTimeViews = setting(
        "none",
        "'flip': the model averages the logits of each image and its mirror image "
        "(test-time augmentation), wherever it is used; it takes twice as long.",
        group=_RUN,
    )
    min_accuracy: float = setting(
        0.0,
        "Export only if the accuracy is at least this, on the test split if there is one, else on "
        "validation.",
        group=_RUN,
        minimum=0,
        maximum=1,
    )
    folds: int = setting(
        0,
        "Estimate the accuracy by cross-validation of the head in this many folds of the training "
        "and validation images, such as 5; 0 disables. The final model is trained on all of these "
        "images.",
        group=_RUN,
        minimum=0,
        maximum=100,
    )
    folds_finetune: bool = setting(
        False,
        "Cross-validate whole fits instead of the head, one for each fold of --folds.",
        group=_RUN,
    )
    compare_scratch: bool = setting(
        False, "Also train from random weights and report how much pretraining helped.", group=_RUN
    )
    compare_examples: int | None = setting(
        None, "Training images for that comparison.", group=_RUN, unset="all", minimum=1
    )
    compare_epochs: int | None = setting(
        None,
        "Epochs of training from random weights.",
        group=_RUN,
        unset="as many passes over the images as the pretrained model",
        minimum=1,
    )
    head: HeadConfig = setting(HeadConfig(), "The new layers and their training.", group=_HEAD)
    finetune: FinetuneConfig = setting(
        FinetuneConfig(), "Training of the backbone.", group=_FINETUNING
    )
    augment: AugmentConfig = setting(AugmentConfig(), "Random augmentation.", group=_AUGMENTATION)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.augment.check()
        if self.head.epochs == 0 and self.finetune.epochs == 0:
            raise UsageError(
                "Settings 'head.epochs' and 'finetune.epochs' are both 0, so nothing would be "
                "trained. Set one of them to 1 or more."
            )
        self._check_head()
        self._check_finetune()
        self._check_folds()
        self._check_task_weights()
        self._check_unknown()
        if self.class_order is not None and not self.ordered:
            raise UsageError(
                "Setting 'class_order' is the order of ordered classes, but 'ordered' is off. Add "
                "--ordered."
            )
        if self.compare_examples and not self.compare_scratch:
            raise UsageError(
                "Setting 'compare_examples' limits the images of a comparison, but "
                "'compare_scratch' is off. Add --compare-scratch."
            )
        if self.compare_scratch and self.weights == "none":
            raise UsageError(
                "Setting 'compare_scratch' compares pretrained weights with random ones, but "
                "'weights' is 'none'. Leave one of them out."
            )

    def _check_folds(self) -> None:
        """Raises a UsageError if a cross-validation is impossible."""
        if self.folds_finetune and not self.folds:
            raise UsageError(
                "Setting 'folds_finetune' cross-validates whole fits, but 'folds' is 0. Add "
                "--folds 5."
            )
        if self.folds in (1, 2):
            raise UsageError(
                f"Setting 'folds' is {self.folds}, but the L2 penalty is chosen on one fold and "
                "the head trained on the others: it must be at least 3, or 0 for none."
            )
        if self.folds and self.finetune.average != "none":
            raise UsageError(
                f"Setting 'finetune.average' is '{self.finetune.average}', which validation "
                "chooses, but with 'folds' the final model is trained on validation, too. "
                "Leave one of them out."
            )
        if self.folds and self.weights == "none" and not self.folds_finetune:
            raise UsageError(
                "Setting 'folds' cross-validates the head on pretrained features, but 'weights' is "
                "'none'. Leave one of them out, or add --folds-finetune."
            )

    @property
    def solves_only_a_head(self) -> bool:
        """Whether the model is a head that is solved, which heads of folds judge as it is."""
        return self.finetune.epochs == 0 and self.head.optimizer == "lbfgs"

    @property
    def names_in_order(self) -> tuple[str, ...]:
        """The classes in the order of `class_order`; empty if it is not given.

        Raises:
            UsageError: A name is empty, or there twice.
        """
        if self.class_order is None:
            return ()
        names = tuple(map(str.strip, self.class_order.split(",")))
        if "" in names or len(set(names)) < len(names):
            raise UsageError(
                f"Setting 'class_order' is '{self.class_order}'; it must name each class once, "
                "separated by commas."
            )
        return names

    @property
    def weights_of_tasks(self) -> tuple[float, ...] | None:
        """The given weights of the losses of tasks, with mean 1; None for equal or learned ones.

        Raises:
            UsageError: They are not weights.
        """
        if self.task_weights in (UNCERTAINTY, EQUAL):
            return None
        try:
            weights = [float(text) for text in self.task_weights.split(",")]
        except ValueError:
            weights = []
        if not weights or not all(0 < weight < float("inf") for weight in weights):
            raise UsageError(
                f"Setting 'task_weights' is '{self.task_weights}'; allowed are '{UNCERTAINTY}', "
                f"'{EQUAL}', or a number above 0 for each task, separated by commas."
            )
        return tuple(weight * len(weights) / sum(weights) for weight in weights)

    def _check_task_weights(self) -> None:
        """Raises a UsageError unless each task has a weight where weights are given."""
        weights, names = self.weights_of_tasks, self.names_of_tasks
        if weights is not None and len(weights) != len(names):
            raise UsageError(
                f"Setting 'task_weights' is '{self.task_weights}', but there are {len(names)} "
                f"tasks ({', '.join(names) or 'none'}). Give a number for each of --tasks."
            )

    def _check_unknown(self) -> None:
        """Raises a UsageError if a rate is set of what is not asked for."""
        for name in ("unknown_rate", "coverage"):
            default = fields_of(self)[name].default
            if not self.unknown and getattr(self, name) != default:
                raise UsageError(
                    f"Setting '{name}' is {getattr(self, name):g}, but 'unknown' is off. Add "
                    "--unknown."
                )

    def _check_head(self) -> None:
        """Raises a UsageError if a setting of the head belongs to another optimizer."""
        head = self.head
        if head.stages is not None and head.pooling == "flatten":
            raise UsageError(
                f"Setting 'head.stages' is '{head.stages}', but 'head.pooling' is 'flatten', which "
                "makes far too many features of early stages. Choose 'average', 'max' or 'both'."
            )
        if head.optimizer == "lbfgs":
            if head.hidden_units:
                raise UsageError(
                    "Setting 'head.optimizer' is 'lbfgs', which only trains heads without hidden "
                    "layers, but 'head.hidden_units' is set. Choose 'adam', 'adamw' or 'sgd'."
                )
            for name in GRADIENT_SETTINGS:
                if getattr(head, name) is not None:
                    raise UsageError(
                        f"Setting 'head.{name}' has no effect with optimizer 'lbfgs'. Leave it "
                        "out, or set 'head.optimizer' to 'adam', 'adamw' or 'sgd'."
                    )
        elif head.penalty is not None and head.optimizer is not None:
            raise UsageError(
                f"Setting 'head.penalty' is for optimizer 'lbfgs', but 'head.optimizer' is "
                f"'{head.optimizer}'. Use 'head.weight_decay' instead."
            )

    def _check_finetune(self) -> None:
        """Raises a UsageError if a setting is for a finetune phase that there is not."""
        has_no_head_phase = self.head.epochs == 0 or self.weights == "none"
        if self.finetune.average == "wise" and has_no_head_phase:
            reason = "'weights' is 'none'" if self.weights == "none" else "'head.epochs' is 0"
            raise UsageError(
                "Setting 'finetune.average' is 'wise', which goes back toward the pretrained "
                f"network with the head of the head phase, but {reason}. Leave one of them out, or "
                "set 'finetune.average' to 'soup'."
            )
        if self.finetune.gradual and self.finetune.epochs == 1:
            raise UsageError(
                "Setting 'finetune.gradual' divides the epochs among the stages, but "
                "'finetune.epochs' is 1. Give at least 2 epochs, or leave it out."
            )
        if self.finetune.epochs == 0:
            reason = "'finetune.epochs' is 0"
        elif self.finetune.unfreeze == "none":
            reason = "'finetune.unfreeze' is 'none'"
        else:
            return
        asked = [
            f"finetune.{name}"
            for name, neutral in NEUTRAL_FINETUNING.items()
            if getattr(self.finetune, name) not in (None, neutral)
        ]
        for key in (*asked, *(["find_rate"] if self.find_rate else [])):
            raise UsageError(
                f"Setting '{key}' is for the finetune phase, but {reason}. Leave one of them out."
            )


@dataclass(frozen=True)
class PretrainConfig(PhaseConfig, RunConfig):
    """The settings of a pretraining: what it computes and where its results go."""

    objective: Literal["labels", "next-word"] = setting(
        "labels",
        "What is learned: the labels, or to predict the next word of texts, which needs no labels "
        "(text backbones lstm and gru).",
        group=_TRAINING,
        common=True,
    )
    epochs: int | None = setting(
        None, "Passes over the training images.", group=_TRAINING, common=True, minimum=1
    )
    optimizer: Literal["sgd", "adam", "adamw"] | None = setting(None, "Optimizer.", group=_TRAINING)
    nesterov: bool = setting(True, "Use Nesterov momentum with SGD.", group=_TRAINING)
    augment: AugmentConfig = setting(AugmentConfig(), "Random augmentation.", group=_AUGMENTATION)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.augment.check()
