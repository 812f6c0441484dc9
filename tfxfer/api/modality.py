"""The seam between modalities: what a call is about, images or something else.

The verbs in this folder are those for images. Another modality has verbs of the same names in
modules of the same names, and a decorator here hands a call over to it: `by_backbone` goes by the
backbone that the settings name, `by_model` by what a model takes, `by_data` by what data hold.
Nothing else in the library asks which modality a call is about.
"""

import functools
import importlib
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import RunConfig
from tfxfer.errors import UsageError
from tfxfer.planning import preflight as images
from tfxfer.runs.naming import run_to_resume
from tfxfer.text import preflight as texts
from tfxfer.text.models.backbones import BACKBONES as TEXT_BACKBONES
from tfxfer.text.models.backbones import is_text_backbone
from tfxfer.text.recognition import holds_texts, takes_texts

Verb = TypeVar("Verb", bound=Callable[..., Any])


@dataclass(frozen=True)
class Modality:
    """A kind of examples besides images.

    Attributes:
        examples: What they are called.
        verbs: The package of its verbs.
        backbones: The names of its backbones, without those that are read from directories.
        is_backbone: Tells whether a name is that of one of its backbones.
        is_data: Tells whether data, as of the settings `data` and `data_dir`, hold such examples.
        is_model: Tells whether the model at a path takes such examples.
        check_asked: Checks settings before TensorFlow is imported.
    """

    examples: str
    verbs: str
    backbones: Collection[str]
    is_backbone: Callable[[str], bool]
    is_data: Callable[[str, str | None], bool]
    is_model: Callable[[str | os.PathLike[str]], bool]
    check_asked: Callable[[RunConfig], object]


TEXT = Modality(
    examples="texts",
    verbs="tfxfer.text.verbs",
    backbones=TEXT_BACKBONES,
    is_backbone=is_text_backbone,
    is_data=holds_texts,
    is_model=takes_texts,
    check_asked=texts.check_asked,
)

# Those besides images.
MODALITIES = (TEXT,)


def check_asked(config: RunConfig) -> None:
    """Checks the settings of a fit or a pretraining before TensorFlow is imported.

    Raises:
        UsageError: A setting is impossible, or data and backbone are of two modalities.
    """
    modality = _of_backbone(config.backbone)
    _check_data(config, modality)
    if modality is None:
        images.check_asked(config)
    else:
        modality.check_asked(config)


def by_backbone(verb: Verb) -> Verb:
    """Decorates a verb that trains: takes `config`, `resume` and settings by name."""

    @functools.wraps(verb)
    def handed(config: Any = None, *, resume: Any = None, **others: Any) -> Any:
        asked = config
        if resume is not None:
            run = run_to_resume(resume)
            asked = read_recipe(run.to_resume, config or _defaults(verb))
        name = others.get("backbone", None if asked is None else asked.backbone)
        modality = None if name is None else _of_backbone(str(name))
        if resume is None:
            named = {key: others[key] for key in ("data", "data_dir") if others.get(key)}
            named |= {} if name is None else {"backbone": name}
            _check_data((asked or _defaults(verb)).with_settings(named), modality)
        return _verb(verb, modality)(config, resume=resume, **others)

    return cast(Verb, handed)


def by_model(verb: Verb) -> Verb:
    """Decorates a verb whose first argument is a model."""

    @functools.wraps(verb)
    def handed(*models: Any, **others: Any) -> Any:
        # The verb itself complains of what is missing.
        found = next((one for one in MODALITIES if models and one.is_model(models[0])), None)
        return _verb(verb, found)(*models, **others)

    return cast(Verb, handed)


def by_data(verb: Verb) -> Verb:
    """Decorates a verb whose first argument, or setting `data`, is data."""

    @functools.wraps(verb)
    def handed(*arguments: Any, **others: Any) -> Any:
        data = str(others.get("data") or next(iter(arguments), ""))
        found = next((one for one in MODALITIES if one.is_data(data, others.get("data_dir"))), None)
        return _verb(verb, found)(*arguments, **others)

    return cast(Verb, handed)


def _of_backbone(name: str) -> Modality | None:
    """Returns the modality that has a backbone; None for images."""
    return next((one for one in MODALITIES if one.is_backbone(name)), None)


def _check_data(config: RunConfig, modality: Modality | None) -> None:
    """Raises a UsageError if data are of another modality than the backbone."""
    found = next((one for one in MODALITIES if one.is_data(config.data, config.data_dir)), None)
    if found is not None and found is not modality:
        raise UsageError(
            f"'{config.data}' holds {found.examples}, but backbone '{config.backbone}' does not "
            f"take them. Backbones for {found.examples} are {', '.join(found.backbones)}: name "
            "one with --backbone."
        )


def _verb(verb: Callable[..., Any], modality: Modality | None) -> Callable[..., Any]:
    """Returns a verb of a modality: that of the same name, in the module of the same name."""
    if modality is None:
        return verb
    module = importlib.import_module(f"{modality.verbs}.{verb.__module__.rpartition('.')[2]}")
    return cast(Callable[..., Any], getattr(module, verb.__name__))


def _defaults(verb: Callable[..., Any]) -> RunConfig:
    """Returns the default settings of a verb that trains."""
    from tfxfer.config.schema import FitConfig, PretrainConfig

    return PretrainConfig() if verb.__module__.endswith("pretrain") else FitConfig()
