"""A program that trains on virtual devices: parts of one CPU, which compute as several GPUs would.

    python several_devices.py NUMBER FOLDER 'JSON: {RUN: SETTINGS}'

The settings are those of `tfxfer.fit`, or of `tfxfer.pretrain` where `verb` says so. A fit ends
before its export unless `exports` is true. With `dies_at`, the run ends as by a kill when it has
said a line that starts so, and is resumed.
"""

import json
import os
import pathlib
import sys


class Death(BaseException):
    """Ends a run as a kill does: nothing of ours catches it."""


def make_devices(number):
    """Divides the CPU into virtual devices; TensorFlow must not have computed before."""
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={number}"  # for JAX
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    parts = [tf.config.LogicalDeviceConfiguration()] * number
    tf.config.set_logical_device_configuration(cpu, parts)


def train(folder, dies_at=None, verb="fit", exports=False, **settings):
    """Trains one run, and again if it dies."""
    from conftest import trained_alone

    import tfxfer

    def say(line):
        print(line, flush=True)
        if dies_at is not None and line.startswith(dies_at):
            raise Death

    settings["runs_dir"] = str(folder / "runs")
    try:
        if verb == "pretrain":
            tfxfer.pretrain(say=say, **settings)
        elif exports:
            tfxfer.fit(say=say, export_dir=str(folder / "exports"), **settings)
        else:
            trained_alone(None, say, **settings)
    except Death:
        train(folder, None, verb, exports, **settings)


def main(number, folder, runs):
    """Trains as the module says."""
    make_devices(number)
    for name, settings in runs.items():
        train(pathlib.Path(folder), run=name, **settings)


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main(int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))
