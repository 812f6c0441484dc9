"""What one process tells the others: JSON and arrays, as bytes."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Message:
    """What a process tells.

    Attributes:
        state: JSON-serializable.
        arrays: Lists of arrays by name.
    """

    state: Any = None
    arrays: Mapping[str, list[np.ndarray]] = field(default_factory=dict)

    def packed(self) -> bytes:
        """Returns the message as bytes."""
        arrays: dict[str, Any] = {
            f"{name}/{index}": array
            for name, group in self.arrays.items()
            for index, array in enumerate(group)
        }
        content = io.BytesIO()
        state = np.array(json.dumps([self.state, list(self.arrays)]))
        np.savez(content, state=state, **arrays)
        return content.getvalue()

    @classmethod
    def of_bytes(cls, content: bytes) -> "Message":
        """Returns the message that `packed` made."""
        with np.load(io.BytesIO(content)) as found:
            state, names = json.loads(str(found["state"]))
            arrays: dict[str, list[np.ndarray]] = {name: [] for name in names}
            for key in found.files:  # in the order in which they were written
                name, _, index = key.partition("/")
                if index:
                    arrays[name].append(found[key])
        return cls(state, arrays)
