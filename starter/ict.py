"""ICT-FaceKit's light model (Li et al. 2020; MIT), packed into one `.npz`: see docs/starter.md for its arrays."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from anclaf.core.errors import ConfigError
from starter.rig import Part, Rig

_PARTS = (
    (0, 11248, Part.SKIN),
    (11248, 13294, Part.MOUTH),
    (13294, 14062, Part.SKIN),
    (14062, 17039, Part.GUM),
    (17039, 21451, Part.TOOTH),
    (21451, 24591, Part.EYE),
    (25351, 26719, Part.LASH),
)
"""Vertex ranges as the model's README lists them; what lies between is the tear film and other shells."""

_EYES = ((23021, 24591), (21451, 23021))
"""Right, left."""

_NEEDED = ("neutral", "polys", "expr_delta", "expr_names", "id_delta", "landmark68")


def load_ict(path: Path) -> Rig:
    """The model without eyeballs and tear film, for the renderer has eyes of its own.

    Raises:
        ConfigError: the file is damaged or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in _NEEDED if name not in file.files]
            if missing:
                raise ConfigError(f"rig {path}: no array {missing[0]!r}; expected ICT-FaceKit's light model")
            data = {name: file[name] for name in _NEEDED}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise ConfigError(f"rig {path}: cannot be read ({error})") from error
    neutral = data["neutral"].astype(np.float32)
    if neutral.shape != (_PARTS[-1][1], 3):
        raise ConfigError(f"rig {path}: {neutral.shape[0]} vertices; ICT-FaceKit's light model has {_PARTS[-1][1]}")
    parts = np.full(len(neutral), 255, np.uint8)
    for start, stop, part in _PARTS:
        parts[start:stop] = part
    polygons = data["polys"].astype(np.int32)
    quads = polygons[polygons[:, 3] >= 0]
    triangles = np.concatenate([polygons[:, :3], quads[:, [0, 2, 3]]])
    drawn = np.isin(parts, [255, Part.EYE], invert=True)
    return Rig(
        name="ict-facekit-light",
        neutral=neutral,
        triangles=np.ascontiguousarray(triangles[drawn[triangles].all(1)]),
        parts=parts,
        identity=data["id_delta"].astype(np.float32),
        shapes=data["expr_delta"].astype(np.float32),
        names=tuple(str(name) for name in data["expr_names"]),
        landmarks=data["landmark68"].astype(np.int32),
        eyes=(np.arange(*_EYES[0], dtype=np.int32), np.arange(*_EYES[1], dtype=np.int32)),
    )
