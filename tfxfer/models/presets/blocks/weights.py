"""Loading the weights of a preset of KerasHub into a network whose blocks were opened."""

import pathlib
import tempfile

import h5py
import keras

from tfxfer.errors import WeightsError
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.foreign.arrays import numeric_arrays
from tfxfer.models.presets.blocks.opening import opened
from tfxfer.models.presets.network import class_network


def load_block_weights(model: keras.Model, backbone: Backbone, path: pathlib.Path) -> None:
    """Gives a network the weights in the `.weights.h5` file of its preset.

    Only numbers are copied from the file, into one that KerasHub's network has written and reads.

    Args:
        model: What `opened_network` built of the backbone.
        backbone: Its record; the class and the settings are read.
        path: Of the file.

    Raises:
        WeightsError: The file holds another network.
        OSError, ValueError, KeyError: It is corrupt.
    """
    arguments = dict(backbone.builder_arguments)
    network = class_network(model.input_shape[1:], **arguments)
    with tempfile.TemporaryDirectory() as folder:
        layout_path = pathlib.Path(folder, "network.weights.h5")
        network.save_weights(layout_path)
        with h5py.File(path) as file, h5py.File(layout_path, "r+") as layout:
            found = numeric_arrays(file)
            for name, array in numeric_arrays(layout).items():
                stored = found.get(name)
                if stored is None or stored.shape != array.shape:
                    what = "none" if stored is None else f"has {stored.shape}"
                    raise WeightsError(
                        f"The weights in '{path}' do not fit backbone '{backbone.name}': the "
                        f"network has an array '{name}' of shape {array.shape}, the file {what}."
                    )
                group = array.parent
                del group[name.rpartition("/")[2]]
                file.copy(stored, group, name=name.rpartition("/")[2])
        network.load_weights(layout_path)
    take_weights(model, network)


def take_weights(model: keras.Model, network: keras.Model) -> None:
    """Gives a network whose blocks were opened the weights of KerasHub's.

    Args:
        model: What `opened_network` built.
        network: KerasHub's, of the same settings.
    """
    source = opened(network, model.name)
    source.take_weights()
    model.set_weights(source.model.get_weights())
