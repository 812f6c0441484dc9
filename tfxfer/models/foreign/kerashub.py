"""Where KerasHub is installed."""

import importlib.util
import pathlib

EXTRA = "kerashub"


def installed_folder() -> pathlib.Path | None:
    """Returns the folder of the installed KerasHub, without importing it; None without it."""
    try:
        found = importlib.util.find_spec("keras_hub")
    except ValueError:  # hidden by an entry None in sys.modules
        found = None
    folders = found.submodule_search_locations if found else None
    return pathlib.Path(folders[0]) if folders else None
