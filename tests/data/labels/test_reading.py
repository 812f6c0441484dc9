"""How labels are to be read, as the settings say."""

import pytest

from tfxfer.config.schema import FitConfig, RunConfig
from tfxfer.data.labels.reading import LabelReading
from tfxfer.data.opening import open_as_it_is
from tfxfer.errors import UsageError


def test_the_settings_say_how_labels_are_read():
    config = RunConfig(label_separator=";", label_columns="cat, Dog")
    assert LabelReading.of(config) == LabelReading("auto", ";", ("cat", "Dog"))
    assert LabelReading.of(config).asks_for_several
    assert not LabelReading.of(RunConfig()).asks_for_several


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_separator": " "}, "'label_separator' is empty or white space"),
        ({"label_columns": "cat"}, "'label_columns' is 'cat'.* at least 2"),
        ({"label_columns": "cat,,dog"}, "at least 2 different names"),
        ({"label_columns": "cat,Cat"}, "at least 2 different names"),
        ({"label_columns": "cat,dog", "labels": "single"}, "'labels' is 'single'. Leave one"),
        ({"labels": "many"}, "'labels' is 'many'; allowed are 'auto', 'single', 'multi'"),
    ],
)
def test_settings_that_contradict_each_other_are_an_error(settings, message):
    with pytest.raises(UsageError, match=message):
        FitConfig(**settings)


@pytest.mark.parametrize(
    ("how", "setting"),
    [(LabelReading("multi"), "labels"), (LabelReading(columns=("a", "b")), "label_columns")],
)
def test_data_with_one_class_for_each_image_do_not_become_others(how, setting):
    with pytest.raises(UsageError, match=f"'{setting}' .*multi-label.* one class"):
        open_as_it_is("digits", how=how)
