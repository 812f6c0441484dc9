"""A network whose BatchNorm is in the weights of the convolutions before it: for inference.

Training multiplies the kernels in each step (`each_step`), because it changes them. In an export,
and where many images are classified, they stay: so they are multiplied once, by the same
operations. A MobileNetV2 has 106 variables then instead of 262, and runs in 0.6 of the time.
"""

import collections
import functools
from typing import Any

import keras
import tensorflow as tf

from tfxfer.models.folding.each_step import convolve, foldable_pairs, folded_weights
from tfxfer.models.layers import leaf_layers


class _FoldedConvolution(keras.layers.Layer):
    """A convolution with a BatchNorm in its weights, as they are now.

    Args:
        convolution: Of `foldable_pairs`.
        batch_norm: The layer behind it.

    Attributes:
        values: Its kernels, and what is added.
    """

    def __init__(
        self, convolution: keras.layers.Layer, batch_norm: keras.layers.BatchNormalization
    ) -> None:
        super().__init__(name=convolution.name, dtype="float32", autocast=False)
        kernels, shift = folded_weights(convolution, batch_norm)
        self.values = [tf.Variable(value, trainable=False) for value in (*kernels, shift)]
        # Not the layer itself, whose weights would be the export's, too.
        self._convolve = functools.partial(convolve, convolution)
        self._spec_of = convolution.compute_output_spec

    def call(self, x: Any) -> Any:
        """Returns what the BatchNorm would return of the convolution's output."""
        *kernels, shift = self.values
        return self._convolve(x, kernels, shift)

    def compute_output_spec(self, x: Any) -> Any:
        """Returns the shape and type of the output."""
        return self._spec_of(x)


def folded_once(model: keras.Model) -> tuple[keras.Model, list[tf.Variable]]:
    """Returns a model that computes the same in inference with folded weights, and its variables.

    Args:
        model: A functional model in float32, whose networks may be nested. It is not changed; the
            layers that are not folded are shared.
    """
    folded = _Folding().of(model)
    variables = [variable.value for variable in folded.variables]
    for layer in leaf_layers(folded):
        if isinstance(layer, _FoldedConvolution):
            variables += layer.values
    return folded, variables


class _Folding:
    """The folding of a model and of the networks in it; one that is shared stays shared."""

    def __init__(self) -> None:
        self._done: dict[int, keras.Model] = {}

    def of(self, network: keras.Model) -> keras.Model:
        """Returns a functional network with folded weights."""
        if id(network) not in self._done:
            self._done[id(network)] = self._fold(network)
        return self._done[id(network)]

    def _fold(self, network: keras.Model) -> keras.Model:
        pairs = foldable_pairs(network)
        if not pairs and all(self._inner(layer) is layer for layer in network.layers):
            return network
        behind = {norm.name for _, norm in pairs.values()}
        calls: collections.Counter[str] = collections.Counter()
        served = {name: _FoldedConvolution(*pair) for name, pair in pairs.items()}

        def call(layer: Any, *arguments: Any, **keywords: Any) -> Any:
            calls[layer.name] += 1
            if layer.name in behind:  # the convolution before it has done its work
                return arguments[0]
            if layer.name in served:
                return served[layer.name](*arguments)
            return layer(*arguments, **keywords)

        folded = keras.models.clone_model(network, clone_function=self._inner, call_function=call)
        if any(calls[name] != 1 for name in {*pairs, *behind}):
            # A layer that is called at several places has not the same behind it at each.
            return network
        return folded

    def _inner(self, layer: Any) -> Any:
        is_functional = isinstance(layer, keras.Model) and isinstance(layer, keras.Function)
        return self.of(layer) if is_functional else layer
