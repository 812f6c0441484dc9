"""The phases of a fit or a pretraining on texts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from tfxfer.config.decided import GradientPhase
from tfxfer.config.schema import FitConfig
from tfxfer.data.weighting import balanced_weights, evaluation_weights
from tfxfer.models.objectives import Scores
from tfxfer.runs.journal import BestWeights, Journal
from tfxfer.system.files import replacing
from tfxfer.system.timing.clock import Clock
from tfxfer.text.data.record import record_texts
from tfxfer.text.models.classifier import TextClassifier
from tfxfer.text.planning.plan import TextPlan, TextPretrainPlan
from tfxfer.text.training.batches import TextExamples, TextPredictor, training_batches
from tfxfer.training.epochs.best_weights import begin_finetuning, finish, saving_best_weights
from tfxfer.training.epochs.session import Session, start_or_resume
from tfxfer.training.epochs.trainer import PhaseTraining
from tfxfer.training.examples import Examples
from tfxfer.training.heads.solving import HeadSolver, StandardizedFeatures

AnyTextPlan = TypeVar("AnyTextPlan", TextPlan, TextPretrainPlan)


@dataclass(frozen=True)
class TextRun(Generic[AnyTextPlan]):
    """A run on texts that this process has started or resumed.

    Attributes:
        plan: The plan of the run.
        examples: The texts of each split as ids, by name; "train" has sample weights.
        fingerprint: Digest of the data.
        journal: Journal of the run.
        clock: Clock of the call.
    """

    plan: AnyTextPlan
    examples: Mapping[str, TextExamples]
    fingerprint: str
    journal: Journal
    clock: Clock

    @property
    def classifier(self) -> TextClassifier:
        """The classifier."""
        return self.plan.classifier

    def predictor(self, split: str, model: Any = None) -> TextPredictor:
        """Returns the predictor of a split, of the logits or of another model's outputs."""
        model = self.classifier.model if model is None else model
        return TextPredictor(model, self.examples[split], self.plan.config.batch_size, split)


def prepare_text_run(
    plan: AnyTextPlan, session: Session, asked: FitConfig | None = None
) -> TextRun[AnyTextPlan]:
    """Looks up the words, finds the last checkpoint of the run, and writes its settings.

    Args:
        plan: The plan; its run is locked.
        session: The call.
        asked: The settings that the user gave; written only when the run is first started.

    Raises:
        RunError: The run was started on other data or weights, or cannot be written.
    """
    source, classifier, config = plan.source, plan.classifier, plan.config
    fingerprint = source.fingerprint()
    facts = {"data": fingerprint, "weights": _weights_fact(plan)}
    journal = start_or_resume(plan, session, facts, classifier.objective.rank, asked)
    record_texts(plan.run, source)
    balanced = isinstance(config, FitConfig) and config.class_weights == "balanced"
    examples = {
        name: TextExamples(
            classifier.ids(split.texts),
            split.labels,
            balanced_weights(split.labels) if balanced and name == "train" else None,
        )
        for name, split in source.splits.items()
    }
    session.clock.lap("words")
    return TextRun(plan, examples, fingerprint, journal, session.clock)


def _weights_fact(plan: TextPlan | TextPretrainPlan) -> str:
    """Returns what tells initial weights apart; random ones follow from settings and data."""
    given = isinstance(plan, TextPlan) and plan.pretrained is not None
    return plan.classifier.digest() if given or plan.config.text.vectors else "random"


def train_fit(run: TextRun[TextPlan]) -> None:
    """Runs the remaining phases of a fit; the best weights end up in the classifier.

    Raises:
        DivergenceError: The loss became NaN or far too high; `model.keras` has the best weights so
            far, if there are any.
        InterruptionError: A signal was received; a checkpoint was saved.
    """
    classifier, journal, config = run.classifier, run.journal, run.plan.config
    directory = run.plan.run

    def save() -> None:
        with replacing(directory.model) as temporary:
            classifier.with_probabilities().save(temporary)

    with saving_best_weights(journal, classifier.model, save, directory.model):
        start = None
        if config.head.epochs and not journal.is_past("head"):
            start = _solve_head(run)
        run.clock.lap("head")
        if config.finetune.epochs and not journal.is_past("finetune"):
            _finetune(run, start)
        run.clock.lap("finetune")
    finish(journal, classifier.model, directory.best_weights)


def train_pretraining(run: TextRun[TextPretrainPlan]) -> None:
    """Trains the whole network; the best weights end up in the classifier.

    Raises:
        DivergenceError, InterruptionError: As `train_fit`.
    """
    classifier, journal, directory = run.classifier, run.journal, run.plan.run

    def save() -> None:
        with replacing(directory.best_weights) as temporary:
            classifier.model.save_weights(temporary)

    classifier.unfreeze("all")
    if not journal.is_past("pretrain"):
        checkpoint = journal.begin("pretrain")
        with saving_best_weights(journal, classifier.model, save, directory.best_weights):
            _training(run, "pretrain", run.plan.config, _validation(run, None)).run(checkpoint)
    finish(journal, classifier.model, directory.best_weights)


def _validation(
    run: TextRun[TextPlan] | TextRun[TextPretrainPlan], weights: np.ndarray | None
) -> Callable[[], Scores]:
    """Returns a function that scores the classifier on validation, as it is then."""
    predictor, labels = run.predictor("validation"), run.examples["validation"].labels
    objective, smoothing = run.classifier.objective, run.plan.config.label_smoothing

    def validate() -> Scores:
        return objective.scores(predictor.outputs(), labels, smoothing, weights)

    return validate


def _training(
    run: TextRun[TextPlan] | TextRun[TextPretrainPlan],
    name: str,
    phase: GradientPhase,
    validate: Callable[[], Scores],
    **more: Any,
) -> PhaseTraining:
    """Returns the training of a phase, whose trainable part is set."""
    classifier, notes = run.classifier, run.journal.notes
    notes.num_trained = max(notes.num_trained, classifier.num_trainable())
    return PhaseTraining(
        journal=run.journal,
        config=run.plan.config,
        name=name,
        phase=phase,
        model=classifier.model,
        kept=classifier.model,
        batches=training_batches(run.examples["train"], run.plan.config),
        validate=validate,
        objective=classifier.objective,
        **more,
    )


def _evaluation_weights(run: TextRun[TextPlan]) -> np.ndarray | None:
    labels = run.examples["validation"].labels
    return evaluation_weights(labels, run.plan.config.class_weights)


def _solve_head(run: TextRun[TextPlan]) -> list[np.ndarray]:
    """Fits the head to features of the frozen backbone by L-BFGS.

    Returns:
        Initial weights of the head for the finetune phase.
    """
    classifier, journal, examples = run.classifier, run.journal, run.examples
    classifier.unfreeze("none")
    checkpoint = journal.begin("head")
    journal.notes.num_trained = max(journal.notes.num_trained, classifier.num_trainable())
    train, validation = (
        run.predictor(name, classifier.backbone).outputs() for name in ("train", "validation")
    )
    features = StandardizedFeatures.of(
        Examples(train, examples["train"].labels, examples["train"].weights),
        Examples(validation, examples["validation"].labels, _evaluation_weights(run)),
    )
    start = HeadSolver(journal, run.plan.config, classifier.head, features).solve(checkpoint)
    journal.best = BestWeights("model", classifier.model.get_weights())
    return start


def _finetune(run: TextRun[TextPlan], start: list[np.ndarray] | None) -> None:
    """Trains the head and the unfrozen part of the backbone.

    Args:
        run: The run, with the best weights so far in the journal.
        start: Initial weights of the head; None takes the best ones.
    """
    classifier, settings = run.classifier, run.plan.config.finetune
    checkpoint = begin_finetuning(run.journal, classifier.model, classifier.head, start)
    classifier.unfreeze(settings.unfreeze)
    _training(
        run,
        "finetune",
        settings,
        _validation(run, _evaluation_weights(run)),
        rate_factors=classifier.rate_factors(
            settings.unfreeze, settings.head_rate, settings.layer_decay
        ),
        ema=settings.ema,
        patience=settings.patience,
    ).run(checkpoint)
