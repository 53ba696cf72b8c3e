"""A head model as the renderer needs it, whatever file it comes from."""

from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anclaf.core.errors import ConfigError
from starter.raster import ambient_occlusion

Points = NDArray[np.float32]


class Part(IntEnum):
    """What a vertex belongs to; the shader treats each its own way."""

    SKIN = 0
    MOUTH = 1
    GUM = 2
    TOOTH = 3
    LASH = 4
    EYE = 5
    HAIR = 6
    CLOTH = 7
    PLASTIC = 8
    HAND = 9


@dataclass(frozen=True, eq=False)
class Rig:
    """A head at rest, how people differ, and how a face moves.

    Lengths in cm; x to the person's left (the image's right), y up, z out of the face.

    name: of the model. neutral: (V, 3). triangles: (T, 3), counter-clockwise from outside. parts: (V,) of `Part`.
    identity: (K, V, 3), one standard deviation of each mode. shapes: (E, V, 3), the expression shapes fully active.
    names: of the shapes, as ARKit calls them, with `_L` and `_R` of the person where they come in pairs.
    landmarks: (68,) vertices of the iBUG points. eyes: vertices of the person's right eyeball, and of the left.
    """

    name: str
    neutral: Points
    triangles: NDArray[np.int32]
    parts: NDArray[np.uint8]
    identity: Points
    shapes: Points
    names: tuple[str, ...]
    landmarks: NDArray[np.int32]
    eyes: tuple[NDArray[np.int32], NDArray[np.int32]] = field(repr=False)

    @cached_property
    def sparse_shapes(self) -> tuple[NDArray[np.int64], NDArray[np.int32], Points]:
        """The shapes as rows of what moves: starts (E + 1,), vertices (M,), displacements (M, 3)."""
        moves = np.abs(self.shapes).max(2) > 2e-3
        starts = np.concatenate([[0], np.cumsum(moves.sum(1))]).astype(np.int64)
        return starts, np.nonzero(moves)[1].astype(np.int32), np.ascontiguousarray(self.shapes[moves])

    @cached_property
    def occlusion(self) -> Points:
        """(V,) part of the surroundings that each vertex sees, the face at rest."""
        return ambient_occlusion(self.neutral, self.triangles)

    @cached_property
    def rest_landmarks(self) -> Points:
        """(68, 3) where the landmarks are at rest."""
        return self.neutral[self.landmarks]

    def index(self, name: str) -> int:
        """The shape's number."""
        return self.names.index(name)


def load_rig(path: Path) -> Rig:
    """Read a head model.

    Raises:
        ConfigError: there is no such file, or it holds none that is known.
    """
    from starter.ict import load_ict

    if not path.is_file():
        raise ConfigError(f"rig {path}: no such file; docs/starter.md says where a head model comes from")
    return load_ict(path)
