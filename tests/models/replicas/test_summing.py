import keras
import pytest
import tensorflow as tf

from tfxfer.models.replicas.summing import see_sums


def test_an_optimizer_that_does_not_clip_is_not_changed():
    optimizer = keras.optimizers.SGD(0.1)
    see_sums(optimizer, 2)
    assert "apply" not in vars(optimizer)


@pytest.mark.parametrize("scales", [False, True])
def test_the_limit_of_the_norm_is_that_of_a_share_of_the_gradient(scales):
    clipping = keras.optimizers.SGD(0.1, global_clipnorm=3.0)
    optimizer = keras.optimizers.LossScaleOptimizer(clipping) if scales else clipping
    see_sums(optimizer, 2)
    assert clipping.global_clipnorm == 1.5


def test_gradients_are_added_up_before_they_are_clipped():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        variable = keras.Variable([0.0, 0.0])
        optimizer = keras.optimizers.SGD(1.0, global_clipnorm=1.0)
        optimizer.build([variable])
    see_sums(optimizer, 1)
    strategy.run(lambda: optimizer.apply([tf.constant([3.0, 4.0])], [variable]))
    assert variable.numpy() == pytest.approx([-0.6, -0.8])
