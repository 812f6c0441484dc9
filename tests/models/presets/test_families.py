"""The families whose networks can be used."""

import pytest
from presets import NETWORKS, OTHERS, TOKENS, needs_kerashub

from tfxfer.models.presets.families import FAMILIES


def test_each_family_is_found_by_its_class():
    made = {class_name for class_name, *_ in [*(NETWORKS | TOKENS | OTHERS).values()]}
    assert set(FAMILIES) == made
    assert all(family.class_name == name for name, family in FAMILIES.items())


@pytest.mark.slow
@needs_kerashub
@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_bound_on_the_parameters_is_below_their_number_and_not_far(name):
    import keras_hub

    class_name, settings = NETWORKS[name]
    network = getattr(keras_hub.models, class_name)(**settings)
    family = FAMILIES[class_name]
    anatomy = family.anatomy({**family.defaults, **settings})
    assert anatomy.least_parameters <= network.count_params() <= 8 * anatomy.least_parameters
    output = network.output
    last = list(output.values())[-1] if isinstance(output, dict) else output
    assert last.shape[-1] == anatomy.num_features
