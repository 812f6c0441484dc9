"""A program that is one of several processes which train together.

    python several_processes.py NUMBER COUNT PORT FOLDER 'JSON: {RUN: SETTINGS}'

The settings are those of `tfxfer.fit`; a fit ends before its export unless `exports` is true. One
process of one trains alone.
"""

import contextlib
import json
import pathlib
import sys


def train(folder, exports=False, **settings):
    """Trains one run together with the other processes."""
    import tfxfer
    from tfxfer.api.fitting.together import agreed, following, leading
    from tfxfer.config.schema import FitConfig
    from tfxfer.planning.plan import make_plan
    from tfxfer.planning.resuming import asked_settings
    from tfxfer.system.processes.following import interruptions
    from tfxfer.system.processes.team import is_first
    from tfxfer.training.epochs.session import FitResult, Session
    from tfxfer.training.preparation import holding
    from tfxfer.training.transfer import train as train_alone

    def say(line):
        print(line, flush=True)

    settings["runs_dir"] = str(folder / "runs")
    if exports:
        tfxfer.fit(say=say, export_dir=str(folder / "exports"), **settings)
        return
    with interruptions() as received:
        plan = agreed(make_plan(asked_settings(FitConfig, None, settings)))
        if not is_first():
            following(plan, Session(received, say))
            return
        with holding(plan, "fit"):
            metrics = train_alone(plan, received, say).metrics.as_json()
        leading(FitResult(plan.run.path, plan.run.model, plan.export_directory, metrics))


def main(number, count, port, folder, runs):
    """Trains as the module says."""
    from small_network import SMALL  # noqa: F401  # registers the backbone

    from tfxfer.system.processes.asked import Processes
    from tfxfer.system.processes.joining import joined

    with contextlib.ExitStack() as stack:
        if count > 1:
            asked = Processes(f"127.0.0.1:{port}", number, count, 120)
            stack.enter_context(joined(asked))
        for name, settings in runs.items():
            train(pathlib.Path(folder), run=name, **settings)


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main(*map(int, sys.argv[1:4]), sys.argv[4], json.loads(sys.argv[5]))
