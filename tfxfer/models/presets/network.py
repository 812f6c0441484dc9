"""Building the network of a preset."""

import warnings
from typing import Any

import keras

from tfxfer.errors import UsageError
from tfxfer.models.presets.families import FAMILIES
from tfxfer.models.presets.handles import check_installed


def preset_network(
    input_shape: tuple[int, int, int], class_name: str, settings: tuple[tuple[str, Any], ...]
) -> keras.Model:
    """Returns the network of a preset, with random weights, as a plain Keras model.

    KerasHub's class builds it; the model that is returned has the same layers, and its file loads
    without KerasHub.

    Args:
        input_shape: (height, width, 3) of images, scaled as the preset says.
        class_name: Of the network, in `keras_hub.models`.
        settings: Of the network, each checked.

    Raises:
        UsageError: KerasHub is not installed, it refuses the settings, or it has made layers that
            Keras does not have.
    """
    network = class_network(input_shape, class_name, settings)
    others = {
        type(one).__name__
        for one in network.operations
        if not type(one).__module__.startswith("keras.")
    }
    if others:
        raise UsageError(
            f"The {class_name} of the preset has layers that Keras does not have: "
            f"{', '.join(sorted(others))}. It cannot be used."
        )
    return keras.Model(network.inputs[0], network.output, name=class_name.lower())


def class_network(
    input_shape: tuple[int, int, int], class_name: str, settings: tuple[tuple[str, Any], ...]
) -> keras.Model:
    """Returns the network of a preset, with random weights, as KerasHub's class builds it.

    Args:
        input_shape: As for `preset_network`, like the others.
        class_name: Of the network.
        settings: Of the network.

    Raises:
        UsageError: KerasHub is not installed, or refuses the settings.
    """
    check_installed(f"kerashub, {class_name}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the packages that it imports
        import keras_hub
    arguments = {key: _listed(value) for key, value in settings}
    try:
        arguments[FAMILIES[class_name].input_name] = input_shape
        network: keras.Model = getattr(keras_hub.models, class_name)(**arguments)
    except (TypeError, ValueError, AttributeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"KerasHub {keras_hub.__version__} cannot build the {class_name} of the preset at "
            f"{input_shape[0]} x {input_shape[1]} pixels: {reason}."
        ) from None
    return network


def _listed(value: Any) -> Any:
    return [_listed(one) for one in value] if isinstance(value, tuple) else value
