"""`pretrain` on texts: trains a text backbone, for `fit --weights RUN`."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from tfxfer.config.schema import PretrainConfig
from tfxfer.evaluation.metrics import describe_scores, summarize
from tfxfer.planning.resuming import asked_settings
from tfxfer.runs.failures import describing_failures
from tfxfer.runs.lock import locked
from tfxfer.runs.metrics_record import Parameters, PretrainMetrics, read_metrics_json
from tfxfer.runs.naming import run_to_resume
from tfxfer.runs.scores.summary import Summary
from tfxfer.system.files import replacing, write_json
from tfxfer.system.names import in_shell
from tfxfer.system.progress import Say, readable_seconds
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.system.streams import keep_going
from tfxfer.text.planning.description import describe_text_pretraining
from tfxfer.text.planning.plan import TextPretrainPlan, make_text_pretrain_plan
from tfxfer.text.serving.scoring import UNIT
from tfxfer.text.training.phases import TextRun, prepare_text_run, train_pretraining
from tfxfer.training.epochs.session import PretrainResult, Session
from tfxfer.training.epochs.validation import SCORED_SPLITS


def describe_plan(
    config: PretrainConfig, *, resume: str | Path | RunDirectory | None = None
) -> str:
    """Returns the plan of a pretraining on texts, without writing files."""
    asked = asked_settings(PretrainConfig, config, {}, resume)
    return describe_text_pretraining(make_text_pretrain_plan(asked))


def pretrain(
    config: PretrainConfig | None = None,
    *,
    resume: str | Path | RunDirectory | None = None,
    say: Say = print,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings: Any,
) -> PretrainResult:
    """Trains a text backbone and saves it with its vocabulary; see `tfxfer.pretrain`."""
    say = keep_going(say)
    run = None if resume is None else run_to_resume(resume)
    asked = asked_settings(PretrainConfig, config, settings, run)
    if run is not None and run.is_finished:
        say(f"The run '{run.path}' is already finished. To train again, use another --run.")
        return PretrainResult(run.path, run.backbone, read_metrics_json(run))
    with Interruptions() as interruptions:
        plan = make_text_pretrain_plan(asked)
        session = Session(interruptions, say, callbacks)
        with describing_failures(plan.run, plan.config, "pretrain"), locked(plan.run):
            return _pretrain(plan, session)


def _pretrain(plan: TextPretrainPlan, session: Session) -> PretrainResult:
    """Does what `pretrain` does, for a run that this process has locked."""
    session.say(describe_text_pretraining(plan) + "\n")
    session.clock.lap("data")
    run = prepare_text_run(plan, session)
    train_pretraining(run)
    session.clock.lap("training")
    metrics = _evaluate(run)
    with replacing(plan.run.backbone) as temporary:
        run.classifier.as_backbone().save(temporary)
    write_json(plan.run.metrics, metrics.as_json())
    run.journal.close()
    session.say(_summary(plan, metrics))
    return PretrainResult(plan.run.path, plan.run.backbone, metrics.as_json())


def _evaluate(run: TextRun[TextPretrainPlan]) -> PretrainMetrics:
    """Returns the metrics."""
    classifier, history = run.classifier, run.journal.history
    scores = {name: _scores(run, name) for name in SCORED_SPLITS if name in run.examples}
    run.clock.lap("evaluation")
    return PretrainMetrics(
        splits=scores,
        seconds=run.clock.seconds,
        num_classes=len(run.plan.source.class_names),
        parameters=Parameters(classifier.num_parameters(), classifier.num_trainable()),
        epoch=history.best.epoch if history.best else 0,
        training_seconds=round(sum(epoch.seconds for epoch in history.epochs), 1),
    )


def _scores(run: TextRun[TextPretrainPlan], split: str) -> Summary:
    """Returns the scores of a split: of the labels, or of the predicted words."""
    objective, labels = run.classifier.objective, run.examples[split].labels
    outputs = run.predictor(split).outputs()
    if not run.plan.predicts_words:
        return summarize(objective.activate(outputs), labels)
    found = objective.scores(outputs, labels, 0.0)
    return Summary(found.metric, loss=found.loss, num_examples=len(labels))


def _described(plan: TextPretrainPlan, metrics: PretrainMetrics) -> list[str]:
    """Returns the scores as text."""
    if not plan.predicts_words:
        return describe_scores(metrics.splits, UNIT)
    return [
        f"{name} perplexity {math.exp(one.loss or 0.0):.1f} ({one.accuracy:.1%} of the predicted "
        "words are right)"
        for name, one in metrics.splits.items()
    ]


def _summary(plan: TextPretrainPlan, metrics: PretrainMetrics) -> str:
    """Returns the scores, where the results are, and the next command."""
    return "\n".join(
        [
            "",
            *_described(plan, metrics),
            f"best            epoch {metrics.epoch} of {plan.config.epochs}",
            f"training time   {readable_seconds(metrics.training_seconds)}",
            f"backbone        {plan.run.backbone}",
            "",
            "Next:",
            f"  tfxfer fit --backbone {plan.backbone.name} --weights {in_shell(plan.run.path)} "
            "--data DATA",
        ]
    )
