import dataclasses
import pathlib
import subprocess
import sys

import pytest

from tfxfer.config.decided import (
    DecidedFinetune,
    DecidedFit,
    GradientHead,
    SolvedHead,
    decided_fit,
    filled,
    reopened,
)
from tfxfer.config.schema import FinetuneConfig, FitConfig
from tfxfer.config.settings import setting_keys, setting_types
from tfxfer.errors import UsageError

PHASE = {"epochs": 2, "learning_rate": 0.1, "warmup_epochs": 0.0, "weight_decay": 0.0}


def all_decided(**head):
    return FitConfig(
        data="digits", weights="none", image_size=32, input_size=8, batch_size=4
    ).with_settings(
        {
            "label_smoothing": 0.0,
            "head": {"epochs": 1, "dropout": 0.0, **head},
            "finetune": {
                **PHASE,
                "clip_norm": 1.0,
                "optimizer": "sgd",
                "unfreeze": "all",
                "batch_norm": "frozen",
            },
            "augment": {"flip": True, "shift": 0.0, "zoom": 0.0, "rotation": 0.0},
        }
    )


def test_decided_settings_have_the_keys_and_limits_of_those_that_were_asked_for():
    assert list(setting_keys(DecidedFit)) == list(setting_keys(FitConfig))
    for key in setting_keys(DecidedFit):
        assert setting_types(DecidedFit, key) == setting_types(FitConfig, key)
    with pytest.raises(UsageError, match="'batch_size' is 0.*at least 1"):
        dataclasses.replace(decided_fit(all_decided(optimizer="lbfgs")), batch_size=0)


def test_the_optimizer_decides_what_a_head_is():
    gradient = {**PHASE, "clip_norm": 0.0, "optimizer": "adam"}
    assert isinstance(decided_fit(all_decided(optimizer="lbfgs")).head, SolvedHead)
    assert isinstance(decided_fit(all_decided(**gradient)).head, GradientHead)


def test_settings_of_which_one_is_open_are_not_decided():
    config = all_decided(optimizer="lbfgs")
    for key in ("image_size", "weights"):
        with pytest.raises(UsageError, match=f"'{key}' has no value"):
            decided_fit(dataclasses.replace(config, **{key: None}))
    with pytest.raises(UsageError, match=r"'head\.dropout' has no value"):
        decided_fit(config.with_settings({"head": {"dropout": None}}))
    with pytest.raises(UsageError, match="'finetune' has no value"):
        dataclasses.replace(decided_fit(config), finetune=FinetuneConfig(epochs=2))


def test_runs_from_before_the_setting_did_not_average_the_weights():
    assert all_decided(optimizer="lbfgs").finetune.ema is None
    assert decided_fit(all_decided(optimizer="lbfgs")).finetune.ema == 0
    assert decided_fit(all_decided(optimizer="lbfgs")).finetune.echo == 1


def test_only_what_is_open_is_filled():
    record = filled(DecidedFinetune, FinetuneConfig(epochs=0), {"epochs": 5, "unfreeze": "all"})
    assert (type(record), record.epochs, record.unfreeze) == (DecidedFinetune, 0, "all")


def test_decided_settings_can_be_opened_again():
    config = decided_fit(all_decided(optimizer="lbfgs"))
    again = reopened(config, finetune=FinetuneConfig(), batch_size=None)
    assert type(again) is FitConfig
    assert (again.batch_size, again.finetune.epochs, again.image_size) == (None, None, 32)


@pytest.mark.slow
def test_the_type_checker_tells_open_from_decided_settings(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from tfxfer.config.decided import DecidedFit\n"
        "from tfxfer.config.schema import FitConfig\n"
        "def of_asked(config: FitConfig) -> int | None:\n"
        "    reveal_type(config.finetune.epochs)\n"
        "    return config.batch_size\n"
        "def of_decided(config: DecidedFit) -> int:\n"
        "    reveal_type(config.finetune.epochs)\n"
        "    if config.head.optimizer != 'lbfgs':\n"
        "        reveal_type(config.head.learning_rate)\n"
        "    return config.batch_size\n"
    )
    command = [sys.executable, "-m", "mypy", "--config-file", "setup.cfg", str(script)]
    root = pathlib.Path(__file__).parents[2]
    said = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert said.returncode == 0, said.stdout
    shown = [line.split("is ")[1] for line in said.stdout.splitlines() if "Revealed" in line]
    assert [word.strip('"').replace("builtins.", "") for word in shown] == [
        "int | None",
        "int",
        "float",
    ]


@pytest.mark.parametrize(
    ("settings", "views"),
    [
        ({"epochs": 10, "echo": 2}, 5),
        ({"epochs": 5, "echo": 2}, 3),
        ({"epochs": 5, "echo": 9}, 1),
        ({"epochs": 10, "echo": 1}, 0),
        ({"epochs": 1, "echo": 2}, 0),  # no other epoch sees them
        ({"epochs": 10, "echo": 2, "unfreeze": "all"}, 0),  # nothing is frozen
        ({"epochs": 10, "echo": 2, "gradual": True}, 0),  # what is frozen changes
    ],
)
def test_views_are_seen_again_by_other_epochs_where_part_of_the_backbone_is_frozen(settings, views):
    phase = decided_fit(all_decided(optimizer="lbfgs")).finetune
    assert dataclasses.replace(phase, **{"unfreeze": "conv5", **settings}).num_views == views
