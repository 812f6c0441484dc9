import re

import pytest
import tensorflow as tf

from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.models.objectives import SOFTMAX
from tfxfer.models.replicas.choosing import choose_compilation, choose_devices
from tfxfer.models.tasks.softmaxes import softmaxes
from tfxfer.system.processes.team import Team, belonging_to

DECIDED = {"batch_size": 8, "precision": "float32", "xla": "off"}


def chosen(objective=SOFTMAX, **settings):
    return choose_devices(FitConfig(**{**DECIDED, **settings}), objective)


@pytest.fixture
def four_devices(monkeypatch):
    """Makes TensorFlow say that its CPU was divided into four."""
    monkeypatch.setattr(tf.config, "get_logical_device_configuration", lambda device: [None] * 4)


def test_all_of_one_device_is_one_of_which_nothing_is_said():
    assert chosen().count == 1
    assert chosen().describe(8) == ""
    assert chosen(devices="1").count == 1


def test_all_devices_are_used_unless_a_number_is_given(four_devices):
    assert chosen().count == 4
    assert chosen().describe(8).startswith("4 of 4 CPUs")
    assert chosen(devices=2).describe(8).startswith("2 of 4 CPUs")
    assert chosen(devices=1).describe(8) == "1 of 4 CPUs"


def test_all_is_no_more_than_a_batch_has_and_one_where_several_cannot_work(four_devices):
    assert chosen(batch_size=3).describe(3).startswith("3 of 4 CPUs")
    assert re.match(r"1 of 4 CPUs.*--xla on", chosen(xla="on").describe(8))
    assert chosen(softmaxes((2, 3), by_uncertainty=True)).count == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"devices": 5}, "Setting 'devices' is 5, but 4 CPUs are visible. Use 'all' or at most 4"),
        ({"devices": 4, "batch_size": 3}, "a batch of 3 cannot be divided among more than 3"),
        ({"devices": 2, "xla": "on"}, "but XLA .* compiles the steps of one device. Use --devices"),
    ],
)
def test_a_number_that_cannot_work_is_refused(four_devices, settings, message):
    with pytest.raises(UsageError, match=message):
        chosen(**settings)


def test_losses_weighted_by_uncertainty_are_refused_on_several(four_devices):
    with pytest.raises(UsageError, match="weight of a task"):
        chosen(softmaxes((2, 3), by_uncertainty=True), devices=2)


def test_more_devices_than_the_machine_has_are_refused():
    with pytest.raises(UsageError, match="is 2, but 1 CPU is visible"):
        chosen(devices=2)


def test_xla_is_not_chosen_for_several_devices(four_devices):
    assert choose_compilation(FitConfig(), 10**12) == "off"
    assert choose_compilation(FitConfig(xla="on"), 10**12) == "on"


def test_several_processes_have_as_many_devices_each(four_devices):
    with belonging_to(Team(1, 2)):
        devices = chosen()
        assert (devices.count, devices.in_all) == (4, 8)
        assert devices.describe(8) == (
            "2 processes with 4 of 4 CPUs each; of each batch of 8 a process reads 4, and a device "
            "computes 1"
        )
        assert chosen(devices=2).describe(7).endswith("a process reads 4, and a device computes 2")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"devices": 5}, "each process has its own, and here 4 CPUs are visible"),
        ({"batch_size": 7}, "A batch of 7 cannot be divided among 2 processes with 4 of 4 CPUs"),
        ({"xla": "on"}, "--distributed cannot train this: XLA"),
    ],
)
def test_what_several_processes_cannot_do_is_refused(four_devices, settings, message):
    with belonging_to(Team(0, 2)), pytest.raises(UsageError, match=message):
        chosen(**settings)
