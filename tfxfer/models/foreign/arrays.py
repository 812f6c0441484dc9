"""Reading HDF5 files: numbers alone, and none from elsewhere."""

from typing import Any

import h5py


def objects_in(group: h5py.Group) -> dict[str, Any]:
    """Returns all groups and arrays inside a group by path; links out of the file have none."""
    objects: dict[str, Any] = {}
    group.visititems(objects.__setitem__)  # hard links only
    return objects


def numeric_arrays(group: h5py.Group) -> dict[str, h5py.Dataset]:
    """Returns the numeric arrays inside a group by path; none whose values are in another file."""
    return {
        path: item
        for path, item in objects_in(group).items()
        if isinstance(item, h5py.Dataset)
        and item.dtype.kind in "biufV"
        and not (item.is_virtual or item.external)
    }
