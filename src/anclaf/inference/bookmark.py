"""Where an analysis is, on disk, so that one that was killed goes on with the numbers it would have had."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from anclaf.core.errors import OutputError
from anclaf.core.files import atomic_path


@dataclass(frozen=True)
class Bookmark:
    """A place between two frames.

    made_with: all that the numbers depend on. counts: of what is in the table so far. table_bytes: its length.
    stream: `AffectStream.state`.
    """

    made_with: dict[str, Any]
    counts: dict[str, int]
    table_bytes: int
    stream: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write it to one safetensors file, which replaces the one before.

        Raises:
            OutputError: it cannot be written.
        """
        arrays: dict[str, Tensor] = {}
        content = json.dumps(_without_arrays(asdict(self), arrays))
        with atomic_path(path) as temporary:
            try:
                save_file(arrays, temporary, metadata={"bookmark": content})
            except SafetensorError as error:
                raise OSError(None, str(error)) from error

    @classmethod
    def load(cls, path: Path) -> "Bookmark":
        """Read it.

        Raises:
            OutputError: it is damaged.
        """
        try:
            with safe_open(path, "pt") as file:
                return cls(**_with_arrays(json.loads(file.metadata()["bookmark"]), file.get_tensor))
        except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
            raise OutputError(f"{path}: damaged, so that nothing can go on from it. Use --overwrite") from error


def _without_arrays(value: Any, arrays: dict[str, Tensor]) -> Any:
    """`value` as JSON can hold it; each array and tensor goes to `arrays`, and its place says which it was."""
    if isinstance(value, dict):
        return {key: _without_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(item, arrays) for item in value]
    if isinstance(value, np.ndarray | Tensor):
        key = str(len(arrays))
        tensor = torch.from_numpy(value) if isinstance(value, np.ndarray) else value.detach().cpu()
        arrays[key] = tensor.clone(memory_format=torch.contiguous_format)
        return {"array" if isinstance(value, np.ndarray) else "tensor": key}
    return value


def _with_arrays(value: Any, get: Any) -> Any:
    match value:
        case {"array": key}:
            return get(key).numpy()
        case {"tensor": key}:
            return get(key)
        case dict():
            return {key: _with_arrays(item, get) for key, item in value.items()}
        case list():
            return [_with_arrays(item, get) for item in value]
    return value
