"""Whose head it is: a random mixture of the model's identity modes, and deformations that it does not have."""

import numpy as np
from numpy.typing import NDArray

from starter.raster import swell
from starter.rig import Points, Rig

_LOCAL = (
    # landmarks whose middle it is about, reach in cm, spread of the log scale along x, y, z; mirrored ones go together
    ((range(36, 42), range(42, 48)), 2.3, (0.07, 0.10, 0.04)),
    ((range(31, 36),), 2.2, (0.16, 0.10, 0.12)),
    ((range(27, 31),), 2.6, (0.10, 0.08, 0.10)),
    ((range(48, 60),), 2.6, (0.11, 0.15, 0.06)),
    ((range(17, 22), range(22, 27)), 2.5, (0.05, 0.06, 0.05)),
    ((range(6, 11),), 3.2, (0.11, 0.09, 0.08)),
    ((range(2, 5), range(12, 15)), 4.0, (0.09, 0.06, 0.06)),
)


def draw_shape(rng: np.random.Generator, rig: Rig) -> Points:
    """(V, 3) a person's head at rest, wider than what the model's own people are."""
    width = np.exp(rng.normal(0.0, 0.25))
    tail = np.minimum(1 / np.sqrt(rng.gamma(3.0, 1 / 3.0, len(rig.identity))), 2.0)  # Student's t of 6 degrees
    coefficients = np.clip(rng.normal(0, 1, len(rig.identity)) * tail * width, -3, 3)
    head = rig.neutral + np.tensordot(coefficients.astype(np.float32), rig.identity, 1)
    return (head + _deformation(rng, rig)).astype(np.float32)


def _deformation(rng: np.random.Generator, rig: Rig) -> NDArray[np.float64]:
    """(V, 3) displacement: the whole head stretched and tapered, its features scaled, and smooth bumps."""
    points, marks = rig.neutral.astype(np.float64), rig.rest_landmarks.astype(np.float64)
    middle = marks[[30, 36, 45]].mean(0) * [0, 1, 0]
    local = points - middle
    moved = local * np.exp(rng.normal(0, [0.05, 0.05, 0.05]))
    lower = np.clip((middle[1] - points[:, 1]) / 8, -0.6, 1.2)
    moved[:, 0] *= 1 + rng.normal(0, 0.07) * lower
    moved[:, 2] += rng.normal(0, 0.35) * lower
    bumps: list[tuple[NDArray, float, NDArray, NDArray]] = []  # centre, reach, scale, shift
    for groups, reach, spread in _LOCAL:
        scale = np.exp(rng.normal(0, spread)) - 1
        slide = rng.normal(0, [0.10, 0.22, 0.16])
        for k, group in enumerate(groups):
            side = (-1.0 if k == 0 else 1.0) if len(groups) == 2 else 0.0
            bumps.append((marks[list(group)].mean(0), reach, scale, slide * [side, 1, 1]))
    for centre in marks[rng.integers(0, 68, 14)] + rng.normal(0, 1.5, (14, 3)):
        reach, bump = rng.uniform(1.2, 4.0), rng.normal(0, 0.17, 3)
        for side, share in ((1, 1.0), (-1, rng.uniform(0.75, 1.0))):
            bumps.append((centre * [side, 1, 1], reach, np.zeros(3), share * bump * [side, 1, 1]))
    out = moved - local
    centres, reaches, scales, shifts = (np.array(column, np.float64) for column in zip(*bumps, strict=True))
    swell(points, centres, reaches, scales, shifts, out)
    return out
