"""A fit of several processes: what they agree on, and what those do that do not write the run."""

import dataclasses
from pathlib import Path

import keras

from tfxfer.config.schema import AUTO, FitConfig
from tfxfer.config.settings import option_of, setting_keys
from tfxfer.data.image.readability import naming_unreadable_images
from tfxfer.errors import UsageError
from tfxfer.models.replicas.choosing import choose_devices
from tfxfer.planning.plan import Plan
from tfxfer.runs.failures import describing_failures
from tfxfer.system.processes.agreeing import check_same
from tfxfer.system.processes.messages import Message
from tfxfer.system.processes.team import current
from tfxfer.system.run_layout import RunDirectory
from tfxfer.training.epochs.session import FitResult, Session
from tfxfer.training.transfer import prepare_fit, take_part
from tfxfer.version import __version__

# The settings that may differ between hosts: where things are. What data hold is compared.
_PLACES = ("data", "data_dir", "run", "runs_dir", "export_dir", "cache_dir")


def check_together(asked: FitConfig) -> None:
    """Raises a UsageError for settings that only a process that trains alone can have."""
    if current().count == 1:
        return
    alone = {
        "backbone": asked.backbone == AUTO,
        "max_minutes": asked.max_minutes is not None,
        "find_rate": asked.find_rate,
        "folds": bool(asked.folds),
        "compare_scratch": asked.compare_scratch,
    }
    for key, is_asked in alone.items():
        if is_asked:
            option = f"{option_of(key)} auto" if key == "backbone" else option_of(key)
            raise UsageError(
                f"{option} needs a process that trains alone. Leave it out, or do it without "
                "--distributed."
            )


def check_one_way(plan: Plan) -> None:
    """Raises a UsageError if several processes would have to search."""
    if current().count > 1 and plan.portfolio is not None:
        raise UsageError(
            f"--effort {plan.config.effort} searches among several configurations, which one "
            "process does: several processes need --effort quick. A search on one host with fewer "
            "images (--train-examples) writes the recipe that it chose into its run's config.toml."
        )


def agreed(plan: Plan) -> Plan:
    """Returns the plan of all processes, in the run of the first.

    Raises:
        UsageError: They were given different settings or data, or the plan needs a search.
    """
    team = current()
    if team.count == 1:
        return plan
    check_one_way(plan)
    settings = {
        f"setting '{key}'": repr(plan.config.get(key))
        for key in setting_keys(type(plan.config))
        if key not in _PLACES
    }
    check_same(
        {
            "version of tfxfer": __version__,
            "version of Keras": keras.__version__,
            **settings,
            "digest of the data": plan.source.fingerprint(),
            "number of devices": str(choose_devices(plan.config, plan.objective).count),
        }
    )
    name = current().from_first(lambda: Message(plan.run.path.name)).state
    run = RunDirectory(plan.run.path.parent / name)
    return dataclasses.replace(plan, config=dataclasses.replace(plan.config, run=name), run=run)


def following(plan: Plan, session: Session) -> FitResult:
    """Trains a fit that the first process writes and reports, and returns its result.

    Args:
        plan: What the processes have agreed on.
        session: The call.
    """
    team = current()
    session.say(f"{team.describe(team.number)} trains along; process 0 writes '{plan.run.path}'.")
    quiet = dataclasses.replace(session, say=lambda _: None)
    with describing_failures(plan.run, plan.config, "fit"):
        classifier = plan.build_classifier(plan.config.weights)
        with naming_unreadable_images(*plan.source.splits.values()):
            take_part(prepare_fit(plan, classifier, quiet))
    told = team.from_first(Message).state
    run, model, export = map(Path, told["paths"])
    return FitResult(run, model, export, told["metrics"])


def leading(result: FitResult) -> FitResult:
    """Returns a result, and tells it to the processes that have trained along."""
    paths = [str(path) for path in (result.run, result.model, result.export)]
    current().from_first(lambda: Message({"paths": paths, "metrics": dict(result.metrics)}))
    return result
