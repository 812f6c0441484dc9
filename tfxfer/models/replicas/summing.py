"""Gradients of several devices, added up before anything is decided by them."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


def see_sums(optimizer: keras.optimizers.Optimizer, num_devices: int) -> None:
    """Makes an optimizer clip gradients, and look for infinite ones, as it would on one device.

    With MirroredStrategy, Keras 3.15 clips the gradient of each device on its own before they are
    added up, and a `LossScaleOptimizer` looks for infinite values in those of the first alone. Here
    every device gets its share of the sum first. An optimizer that does neither is not changed.

    Args:
        optimizer: Built, but not used yet.
        num_devices: That compute gradients.
    """
    scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    clipping = optimizer.inner_optimizer if scales else optimizer
    if not scales and clipping.global_clipnorm is None:
        return
    if clipping.global_clipnorm is not None:
        clipping.global_clipnorm /= num_devices  # of the shares
    apply = optimizer.apply

    def apply_sums(grads: Sequence[Any], trainable_variables: Any = None) -> None:
        context = tf.distribute.get_replica_context()
        known = [tf.convert_to_tensor(grad) for grad in grads if grad is not None]
        sums = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, known))
        shares = [None if grad is None else next(sums) / num_devices for grad in grads]
        apply(shares, trainable_variables)

    optimizer.apply = apply_sums
