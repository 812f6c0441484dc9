"""What a checkpoint holds of a model and its optimizer."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np


def training_state(view: keras.Model) -> dict[str, list[np.ndarray]]:
    """Returns everything that the next step of a compiled model depends on beside its batch.

    Args:
        view: What `loop.compiled_view` returned.
    """
    if hasattr(view, "jax_state_sync"):
        view.jax_state_sync()  # within an epoch JAX has the state, and not the variables
    return {
        name: [keras.ops.convert_to_numpy(variable) for variable in variables]
        for name, variables in _variables(view).items()
    }


def restore_training_state(view: keras.Model, arrays: Mapping[str, list[np.ndarray]]) -> None:
    """Puts a compiled model into the state that `training_state` returned.

    The metrics are left to `restore_metrics`, as Keras clears them when an epoch begins.
    """
    for name, variables in _variables(view).items():
        if name != "metrics":
            _assign(variables, arrays[name])


def generator_states(model: keras.Model) -> list[np.ndarray]:
    """Returns where the random generators of a model's layers are, such as those of dropout."""
    return [keras.ops.convert_to_numpy(state) for state in _generators(model)]


def restore_generators(model: keras.Model, states: list[np.ndarray]) -> None:
    """Puts the random generators of a model's layers where `generator_states` found them."""
    _assign(_generators(model), states)


def restore_metrics(view: keras.Model, arrays: Mapping[str, list[np.ndarray]]) -> None:
    """Gives the metrics of a compiled model what they had counted of the epoch."""
    _assign(_variables(view)["metrics"], arrays["metrics"])


def _generators(model: keras.Model) -> list[Any]:
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def _variables(view: keras.Model) -> dict[str, list[Any]]:
    return {
        "model": view.variables,  # with the states of random generators, unlike `weights`
        "optimizer": view.optimizer.variables,  # with the loss scale
        "metrics": view.metrics_variables,
    }


def _assign(variables: list[Any], arrays: list[np.ndarray]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
