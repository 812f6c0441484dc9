"""A fit of a network from a directory, as the tests of each kind of directory run it."""

from conftest import small_config

from tfxfer.api.fit import fit


def fit_in_both_phases(folder, pictures, tmp_path, **finetune):
    """Returns the result of a small fit that trains the head, fine-tunes and exports.

    Args:
        folder: The directory of the network.
        pictures: Data.
        tmp_path: Where the run is.
        **finetune: Settings of the finetune phase besides its one epoch.
    """
    lines = []
    result = fit(
        small_config(
            pictures,
            "preset",
            tmp_path,
            backbone=f"kerashub:{folder}",
            head={"epochs": 3, "dropout": 0.0},
            finetune={"epochs": 1, **finetune},
        ),
        say=lines.append,
    )
    text = "\n".join(lines)
    assert "head  " in text
    assert "finetune  epoch 1/1" in text
    assert result.export is not None
    return result
