"""The state of a model and its optimizer, as a checkpoint holds it."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np


def training_state(view: keras.Model) -> dict[str, list[np.ndarray]]:
    """Returns everything that the next training step depends on besides its batch.

    Args:
        view: The model returned by `loop.compiled_view`.

    Returns:
        Variables by group: "model", "optimizer" and "metrics".
    """
    if hasattr(view, "jax_state_sync"):
        view.jax_state_sync()  # within an epoch JAX keeps the state outside the variables
    return {
        name: [keras.ops.convert_to_numpy(variable) for variable in variables]
        for name, variables in _variables(view).items()
    }


def restore_training_state(view: keras.Model, arrays: Mapping[str, list[np.ndarray]]) -> None:
    """Restores the state that `training_state` returned, except the metrics.

    Keras resets metrics at the start of an epoch; `restore_metrics` restores them after that.
    """
    for name, variables in _variables(view).items():
        if name != "metrics":
            _assign(variables, arrays[name])


def generator_states(model: keras.Model) -> list[np.ndarray]:
    """Returns the states of a model's random generators, such as those of dropout."""
    return [keras.ops.convert_to_numpy(state) for state in _generators(model)]


def restore_generators(model: keras.Model, states: list[np.ndarray]) -> None:
    """Restores the states that `generator_states` returned."""
    _assign(_generators(model), states)


def restore_metrics(view: keras.Model, arrays: Mapping[str, list[np.ndarray]]) -> None:
    """Restores the metrics of a partly trained epoch."""
    _assign(_variables(view)["metrics"], arrays["metrics"])


def _generators(model: keras.Model) -> list[Any]:
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def _variables(view: keras.Model) -> dict[str, list[Any]]:
    return {
        "model": view.variables,  # includes random generators, unlike `weights`
        "optimizer": view.optimizer.variables,  # includes the loss scale
        "metrics": view.metrics_variables,
    }


def _assign(variables: list[Any], arrays: list[np.ndarray]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
