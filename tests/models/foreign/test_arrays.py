import h5py
import numpy as np

from tfxfer.models.foreign.arrays import numeric_arrays, objects_in


def test_numbers_are_found_but_no_text_and_nothing_from_other_files(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.zeros(3)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["a/b"] = np.arange(4.0)
        file["a/name"] = "text"
        file["linked"] = h5py.ExternalLink("other.h5", "secret")
        layout = h5py.VirtualLayout((3,), float)
        layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "secret", (3,))
        file.create_virtual_dataset("virtual", layout)
    with h5py.File(tmp_path / "file.h5") as file:
        assert set(objects_in(file)) == {"a", "a/b", "a/name", "virtual"}
        found = numeric_arrays(file)
        assert set(found) == {"a/b"}
        assert found["a/b"][()].tolist() == [0, 1, 2, 3]
