import keras

from tfxfer.models.layers import fresh_names, is_numbered, leaf_layers, split_number


def test_a_name_is_separated_from_its_number():
    assert split_number("conv2d_7") == ("conv2d", 7)
    assert split_number("conv2d") == ("conv2d", 0)
    assert split_number("block1_conv1") == ("block1_conv1", 0)
    assert split_number("_3") == ("_3", 0)


def test_automatic_names_are_known_by_their_class():
    assert is_numbered(keras.layers.Dense(1))
    assert is_numbered(keras.layers.GlobalAveragePooling2D())
    assert not is_numbered(keras.layers.Dense(1, name="predictions"))


def test_layers_of_models_inside_a_model_are_found_in_order():
    inner = keras.Sequential([keras.layers.Dense(2, name="a"), keras.layers.Dense(2, name="b")])
    outer = keras.Sequential([keras.layers.ReLU(name="first"), inner, keras.layers.ReLU(name="c")])
    assert [layer.name for layer in leaf_layers(outer)] == ["first", "a", "b", "c"]


def test_fresh_names_count_from_the_first_layer_of_each_class():
    [keras.layers.Dense(1) for _ in range(5)]
    layers = [
        keras.layers.Dense(1),
        keras.layers.ReLU(name="own_4"),
        keras.layers.Dense(1),
        keras.layers.Dense(1),
    ]
    assert fresh_names(layers) == ["dense", "own_4", "dense_1", "dense_2"]
