"""The plan of a fit or a pretraining on texts, as text."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.config.decided import DecidedHead, DecidedTextFit, DecidedTextRun
from tfxfer.data.source import shown
from tfxfer.data.weighting import balanced_weights
from tfxfer.planning.wording import (
    describe_arithmetic,
    describe_budget,
    describe_regularization,
    describe_results,
    describe_schedule,
    plan_row,
)
from tfxfer.runs.versions import next_version
from tfxfer.text.models.backbones import OWN_WEIGHTS, TextBackbone
from tfxfer.text.models.classifier import TextClassifier
from tfxfer.text.models.next_word import num_predicted
from tfxfer.text.planning.plan import TextPlan, TextPretrainPlan

_QUANTILES = {"median": 0.5, "90%": 0.9, "99%": 0.99, "longest": 1.0}


def describe_text_plan(plan: TextPlan) -> str:
    """Returns the plan of a fit as text."""
    config, classifier = plan.config, plan.classifier
    num_features, num_classes = classifier.backbone.output_shape[-1], len(plan.source.class_names)
    version = next_version(plan.export_directory)
    head = f"{' -> '.join(describe_text_head(config.head))} -> {num_classes} logits"
    lines = [
        *_describe_data(plan, config),
        *_describe_backbone(plan.backbone, classifier, config, config.weights),
        *_describe_vectors(plan),
        plan_row("head", f"{head} ({num_features:,} features)"),
        *_describe_phases(plan.backbone, config, classifier),
        *_describe_class_weights(plan),
        plan_row("baseline", "TF-IDF with logistic regression on the same splits"),
        plan_row("precision", describe_arithmetic(config)),
        *describe_budget(config),
        *describe_results(plan.run),
        plan_row("export", str(plan.export_directory / str(version))),
    ]
    return "\n".join(lines)


def describe_text_pretraining(plan: TextPretrainPlan) -> str:
    """Returns the plan of a pretraining as text."""
    config, classifier = plan.config, plan.classifier
    details = [f"batch size {config.batch_size:,}", *describe_regularization(config)]
    lines = [
        *_describe_data(plan, config),
        *_describe_backbone(plan.backbone, classifier, config, "none"),
        *_describe_vectors(plan),
        *_describe_objective(plan),
        plan_row("training", describe_schedule(config)),
        plan_row("", ", ".join(details)),
        plan_row("precision", describe_arithmetic(config)),
        *describe_budget(config),
        *describe_results(plan.run),
    ]
    return "\n".join(lines)


def _describe_data(plan: TextPlan | TextPretrainPlan, config: DecidedTextRun) -> list[str]:
    """Returns the lines on the data: number of texts, classes, lengths, and what is cut."""
    source = plan.source
    names = source.class_names
    first = ", ".join(map(shown, names[:8])) + (", ..." if len(names) > 8 else "")
    counts = ", ".join(f"{len(split):,} {name}" for name, split in source.splits.items())
    return [
        plan_row("data", f"{source.name}: {counts} texts"),
        plan_row("", f"{len(names)} classes: {first}" if len(names) > 1 else "labels are not used"),
        plan_row("", describe_lengths(plan.lengths, config.text.max_words, plan.backbone.unit)),
        *(plan_row("", f"note: {note}") for note in source.notes),
    ]


def describe_lengths(lengths: npt.NDArray[np.int64], max_words: int, unit: str = "words") -> str:
    """Returns the quantiles of the number of words or tokens, and what is cut.

    Examples:
        >>> describe_lengths(np.array([1, 2, 3, 10]), 5)
        'words: median 2, 90% 10, 99% 10, longest 10; maximum 5: truncates 25.0% of the texts'
    """
    found = [
        f"{name} {int(np.quantile(lengths, share, method='inverted_cdf')):,}"
        for name, share in _QUANTILES.items()
    ]
    cut = np.mean(lengths > max_words)
    what = f"truncates {cut:.1%} of the texts" if cut else "truncates none"
    return f"{unit}: {', '.join(found)}; maximum {max_words:,}: {what}"


def _describe_backbone(
    backbone: TextBackbone, classifier: TextClassifier, config: DecidedTextRun, weights: str
) -> list[str]:
    """Returns the lines on the backbone, its weights and its vocabulary."""
    if backbone.encoder is not None:
        return _describe_encoder(backbone, config, weights)
    text = config.text
    num_words = classifier.backbone.get_layer("embedding").input_dim - 3
    origin = "random weights, as text backbones have no pretrained ones; everything is trained"
    if text.vectors:
        origin = "random weights except the word vectors; everything is trained"
    if weights != "none":
        origin = f"weights and vocabulary of {weights}"
    units = f", {text.units} units" if backbone.has_units else ""
    return [
        plan_row("backbone", f"{backbone.name} ({backbone.what})"),
        plan_row("", f"{text.dimensions} dimensions{units}, dropout {text.dropout:g}"),
        plan_row("", origin),
        plan_row("vocabulary", f"{num_words:,} words"),
    ]


def _describe_encoder(backbone: TextBackbone, config: DecidedTextRun, weights: str) -> list[str]:
    """Returns the lines on an encoder, its weights, its tokenizer and what a model of it needs."""
    text, encoder = config.text, backbone.encoder
    origin = f"weights and vocabulary of {weights}"
    if encoder is not None and weights == OWN_WEIGHTS:
        origin = f"pretrained weights, license {encoder.license}"
        if encoder.folder:
            origin += f", in {encoder.folder}"
    return [
        plan_row("backbone", f"{backbone.name} ({backbone.what})"),
        plan_row("", f"{text.dimensions} dimensions, dropout {text.dropout:g}"),
        plan_row("", origin),
        plan_row("vocabulary", f"{text.vocabulary:,} tokens of WordPiece"),
        plan_row("needed later", "KerasHub to load model.keras, TensorFlow Text to run the export"),
    ]


def _describe_vectors(plan: TextPlan | TextPretrainPlan) -> list[str]:
    """Returns a line on word vectors, or no line if there are none."""
    covered = plan.describe_vectors(plan.config)
    vectors = plan.config.text.vectors
    return [] if covered is None else [plan_row("word vectors", f"{vectors} {covered}")]


def _describe_objective(plan: TextPretrainPlan) -> list[str]:
    """Returns the lines on what is learned, if it is not the labels."""
    if not plan.predicts_words:
        return []
    count = num_predicted(plan.classifier.backbone.get_layer("embedding").input_dim)
    return [
        plan_row(
            "objective", "next-word prediction, in the backward direction of the previous word"
        ),
        plan_row("", f"among the {count:,} most frequent words; the others are only read"),
    ]


def describe_text_head(head: DecidedHead) -> list[str]:
    """Returns the layers of a head before its outputs, in order."""
    hidden = [f"{units} hidden units" for units in head.hidden_units]
    return [*hidden, f"dropout {head.dropout:g}"]


def _describe_phases(
    backbone: TextBackbone, config: DecidedTextFit, classifier: TextClassifier
) -> list[str]:
    """Returns the lines on what each phase trains and how. The classifier is not changed."""
    lines = [plan_row("head phase", "skipped")]
    if config.head.epochs:
        lines = _describe_phase("head", config.head, backbone, config, classifier)
    if not config.finetune.epochs:
        return [*lines, plan_row("finetune phase", "skipped")]
    return lines + _describe_phase("finetune", config.finetune, backbone, config, classifier)


def _describe_phase(
    name: str,
    phase: Any,
    backbone: TextBackbone,
    config: DecidedTextFit,
    classifier: TextClassifier,
) -> list[str]:
    unfreeze = config.finetune.unfreeze if name == "finetune" else "none"
    stages = backbone.unfrozen_stages(unfreeze)
    details = [] if phase.optimizer == "lbfgs" else [f"batch size {config.batch_size:,}"]
    if config.label_smoothing:
        details.append(f"label smoothing {config.label_smoothing:g}")
    details += describe_regularization(phase)
    num_trained = _count_trained(classifier, unfreeze)
    num_frozen = classifier.num_parameters() - num_trained
    return [
        plan_row(f"{name} phase", describe_schedule(phase, len(stages))),
        *([plan_row("", ", ".join(details))] if details else []),
        plan_row("", f"trains {describe_trained(stages, backbone)}"),
        plan_row("", f"{num_trained:,} trainable parameters, {num_frozen:,} frozen"),
    ]


def describe_trained(stages: Sequence[str], backbone: TextBackbone) -> str:
    """Returns what a phase trains, by the stages that it unfreezes."""
    if not stages:
        return "the head on features of the frozen backbone"
    if tuple(stages) == backbone.stages:
        return "the head and the whole backbone"
    return f"the head and {', '.join(stages)}"


def _count_trained(classifier: TextClassifier, unfreeze: str) -> int:
    """Returns the number of trainable parameters in a phase. The classifier is not changed."""
    before = [(layer, layer.trainable) for layer in classifier.backbone.layers]
    try:
        classifier.unfreeze(unfreeze)
        return classifier.num_trainable()
    finally:
        for layer, trainable in before:
            layer.trainable = trainable


def _describe_class_weights(plan: TextPlan) -> list[str]:
    """Returns a line on balanced class weights, or no line if classes are not weighted."""
    if plan.config.class_weights == "none":
        return []
    labels, names = plan.source.splits["train"].labels, plan.source.class_names
    weights = balanced_weights(labels)
    least, most = weights.argmin(), weights.argmax()
    ends = [f"{weights[i]:.3g} ({names[labels[i]]})" for i in (least, most)]
    return [plan_row("class weights", f"balanced, from {' to '.join(ends)}")]
