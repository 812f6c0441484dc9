"""Reading a user's weights file into a backbone.

The file may come from a stranger: only numbers are read from it, with h5py. No model is ever
deserialized, which could run code, and links that lead out of the file are not followed.
"""

import pathlib
import shutil
import tempfile
import zipfile
from collections.abc import Sequence

import h5py
import keras
import ml_dtypes

from tfxfer.errors import WeightsError
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.foreign.arrays import numeric_arrays, objects_in
from tfxfer.models.layers import is_numbered, leaf_layers, split_number

Shape = tuple[int, ...]


def load_weights_file(model: keras.Model, backbone: Backbone, path: pathlib.Path) -> None:
    """Gives a backbone the weights in a `.h5`, `.weights.h5` or `.keras` file.

    The file may hold the backbone alone or inside a larger model, nested or flat. Layers are found
    by name: those of equal shapes may come in another order, and would be exchanged without a word.

    Raises:
        WeightsError: The file holds another network.
        OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile: It is corrupt.
    """
    with tempfile.TemporaryDirectory() as folder:
        h5_path = path
        if path.suffix == ".keras":
            h5_path = pathlib.Path(folder, "model.weights.h5")
            with zipfile.ZipFile(path) as archive, h5_path.open("wb") as extracted:
                shutil.copyfileobj(archive.open("model.weights.h5"), extracted)
        with h5py.File(h5_path) as file:
            objects = objects_in(file)
            group = objects.get("model_weights", file)
            try:
                if _strings(group, "layer_names"):
                    _load_legacy(model, group)
                else:
                    _load_keras_3(model, file, pathlib.Path(folder, "backbone.weights.h5"))
            except _MismatchError as error:
                raise WeightsError(
                    f"The weights in '{path}' do not fit backbone '{backbone.name}': {error}."
                ) from None


class _MismatchError(Exception):
    """What in a file is not as the backbone has it."""


def _load_keras_3(model: keras.Model, file: h5py.File, layout_path: pathlib.Path) -> None:
    """Loads the format of `.weights.h5` and `.keras`, which names arrays by their place in a model.

    What a backbone's arrays are called is learned by saving this one. The file has them under the
    same names, with a prefix if it holds the backbone inside another model; they are copied into
    the saved one, which Keras then loads.
    """
    model.save_weights(layout_path)
    # Keras 2.13 to 2.15 wrote the longer word.
    found = {
        path.replace("_layer_checkpoint_dependencies", "layers"): array
        for path, array in numeric_arrays(file).items()
    }
    own_names = {layer.name for layer in leaf_layers(model) if not is_numbered(layer)}
    with h5py.File(layout_path, "r+") as layout:
        order = [layer.name for layer in leaf_layers(model)]
        wanted = dict(
            sorted(
                numeric_arrays(layout).items(),
                key=lambda item: order.index(item[1].parent.attrs["name"]),
            )
        )
        first = next(iter(wanted))
        prefixes = [path.removesuffix(first) for path in found if f"/{path}".endswith(f"/{first}")]
        if not prefixes:
            raise _MismatchError(f"it holds no '{first}'")
        prefixes.sort(key=lambda prefix: -sum(prefix + path in found for path in wanted))
        problems = [_layout_problem(wanted, found, prefix, own_names) for prefix in prefixes]
        if all(problems):
            raise _MismatchError(problems[0])
        if problems.count(None) > 1:
            raise _MismatchError(f"it holds {problems.count(None)} networks that do")
        prefix = prefixes[problems.index(None)]
        for path, array in wanted.items():
            group, name = array.parent, path.rpartition("/")[2]
            del group[name]
            file.copy(found[prefix + path], group, name=name)
    model.load_weights(layout_path)


def _layout_problem(
    wanted: dict[str, h5py.Dataset],
    found: dict[str, h5py.Dataset],
    prefix: str,
    own_names: set[str],
) -> str | None:
    """Returns why the arrays under a prefix are not the backbone's, or None if they are."""
    for path, array in wanted.items():
        ours = array.parent.attrs["name"]
        if prefix + path not in found:
            return f"it holds nothing for layer '{ours}'"
        other = found[prefix + path]
        if other.shape != array.shape:
            return _shape_problem(ours, [array.shape], [other.shape])
        theirs = other.parent.attrs.get("name", ours)  # the first Keras 3 did not write it
        if theirs != ours and theirs in own_names:
            return f"layer '{theirs}' is where '{ours}' should be"
    # Layers are counted by class: one more in front of the backbone would shift all of a class.
    classes: dict[str, list[bool]] = {}
    for path, array in wanted.items():
        layer, _, index = path.partition("/vars/")
        stem, number = split_number(layer)
        shifted = found.get(f"{prefix}{stem}_{number + 1}/vars/{index}")
        fits = shifted is not None and shifted.shape == array.shape
        classes.setdefault(stem, []).append(fits)
    for stem, fits_shifted in classes.items():
        if all(fits_shifted):
            return f"it is not clear which of its layers '{prefix}{stem}' is the backbone's"
    return None


def _load_legacy(model: keras.Model, group: h5py.Group) -> None:
    """Loads the format of `.h5`, which names arrays by layer; a nested model is one layer of it."""
    layers = [layer for layer in leaf_layers(model) if layer.weights]
    objects, arrays = objects_in(group), numeric_arrays(group)
    entries: dict[tuple[str, str], list[h5py.Dataset]] = {}
    for layer_name in _strings(group, "layer_names"):
        for weight_name in _strings(objects[layer_name], "weight_names"):
            # A nested model's arrays come trainable ones first, so that a layer's are apart.
            owner = (layer_name, weight_name.rpartition("/")[0] or layer_name)
            entries.setdefault(owner, []).append(arrays[f"{layer_name}/{weight_name}"])
    own_names = {layer.name for layer in layers}
    by_name: dict[str, list[list[h5py.Dataset]]] = {}
    for (_, scope), values in entries.items():
        by_name.setdefault(_layer_name(scope, own_names), []).append(values)

    numbered: dict[str, list[keras.layers.Layer]] = {}
    pairs: list[tuple[keras.layers.Layer, list[h5py.Dataset]]] = []
    for layer in layers:
        if is_numbered(layer):
            numbered.setdefault(split_number(layer.name)[0], []).append(layer)
        else:
            pairs += _matched([layer], by_name.get(layer.name, []))
    # Numbers differ from process to process, but always follow the order of building.
    for stem, ours in numbered.items():
        ours.sort(key=lambda layer: split_number(layer.name))
        names = [name for name in by_name if split_number(name)[0] == stem]
        names.sort(key=split_number)
        pairs += _matched(ours, [values for name in names for values in by_name[name]])
    for layer, values in pairs:
        for variable, array in zip(layer.weights, values, strict=True):
            # h5py gives bfloat16, which HDF5 does not know, as two opaque bytes.
            value = array[()]
            variable.assign(value.view(ml_dtypes.bfloat16) if array.dtype == "V2" else value)


def _matched(
    layers: list[keras.layers.Layer], candidates: list[list[h5py.Dataset]]
) -> list[tuple[keras.layers.Layer, list[h5py.Dataset]]]:
    """Returns each layer with its arrays: the one run of candidates whose shapes fit them all."""
    wanted = [[tuple(weight.shape) for weight in layer.weights] for layer in layers]
    found = [[array.shape for array in arrays] for arrays in candidates]
    name = layers[0].name
    if len(found) < len(wanted):
        kind = f"layer '{name}'" if len(wanted) == 1 else f"{len(wanted)} layers like '{name}'"
        raise _MismatchError(f"the backbone has {kind}, the file {len(found) or 'none'}")
    starts = range(len(found) - len(wanted) + 1)
    fitting = [start for start in starts if found[start : start + len(wanted)] == wanted]
    if not fitting:
        layer, ours, theirs = next(
            trio for trio in zip(layers, wanted, found, strict=False) if trio[1] != trio[2]
        )
        raise _MismatchError(_shape_problem(layer.name, ours, theirs))
    if len(fitting) > 1:
        raise _MismatchError(f"it is not clear which of its layers '{name}' is the backbone's")
    return list(zip(layers, candidates[fitting[0] :], strict=False))


def _shape_problem(layer_name: str, wanted: Sequence[Shape], found: Sequence[Shape]) -> str:
    if len(wanted) != len(found):
        return f"layer '{layer_name}' has {len(wanted)} arrays, in the file {len(found)}"
    ours, theirs = next(pair for pair in zip(wanted, found, strict=True) if pair[0] != pair[1])
    return f"layer '{layer_name}' has shape {ours}, in the file {theirs}"


def _strings(group: h5py.Group, name: str) -> list[str]:
    """Returns a list of names from an attribute, which Keras splits where HDF5 finds it too long.

    The parts of a split attribute have its name and a number.
    """
    chunks = [group.attrs[name]] if name in group.attrs else []
    while f"{name}{len(chunks)}" in group.attrs:
        chunks.append(group.attrs[f"{name}{len(chunks)}"])
    values = [value for chunk in chunks for value in chunk]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _layer_name(scope: str, own_names: set[str]) -> str:
    """Returns which layer a scope of a file means: `conv1/bn` is `conv1_bn` if there is one.

    Keras 2 had slashes within names where Keras 3 has underscores; both have them between a model
    and its layer.
    """
    parts = scope.split("/")
    tails = ["_".join(parts[start:]) for start in range(len(parts))]
    return next((tail for tail in tails if tail in own_names), parts[-1])
