"""Light on a drawn head: Lambert's law and a highlight on an ellipsoid with hills (nose, cheeks, lips, chin).

The relief is a sum of Gaussians on a grid that turns with the head, computed as a product of two small matrices.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anclaf.synthetic.affect import Moment
from anclaf.synthetic.face import Face, Points
from anclaf.synthetic.person import Person

_STEPS = 32  # of the grid, in an eye distance
GRID_U, GRID_V = np.arange(-1.7, 1.7, 1 / _STEPS), np.arange(-1.9, 2.6, 1 / _STEPS)
"""The grid's columns and rows, in eye distances from the middle of the head."""


@dataclass(frozen=True)
class Lamp:
    """One key light and an even light.

    key: unit vector to the light (right, down, to the camera). ambient, colour: RGB factors of the even light and of
    the key light. gloss: grey levels of the highlight.
    """

    key: Points
    ambient: Points
    colour: Points
    gloss: float


def lamp(rng: np.random.Generator) -> Lamp:
    """A random lamp above and a little to one side, warm or cool, hard or soft."""
    key = np.array([rng.uniform(-0.75, 0.75), rng.uniform(-0.7, -0.25), 0.9])
    strength, warmth, exposure = rng.uniform(0.45, 0.75), rng.uniform(-0.06, 0.08), rng.uniform(1.0, 1.14)
    return Lamp(
        key=key / np.linalg.norm(key),
        ambient=(1.06 - strength) * exposure * np.array([1.04, 1.0, 0.98]),
        colour=strength * exposure * np.array([1 + warmth, 1.0, 1 - warmth]),
        gloss=rng.uniform(10, 30),
    )


def shade(person: Person, light: Lamp, moment: Moment, shape: Face) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(V, U, 3) factors for the colours and (V, U) grey levels to add, on the grid."""
    slope_u, slope_v = _slopes(person, moment, shape)
    length = 1 / np.sqrt(slope_u**2 + slope_v**2 + 1)

    def facing(direction: Points) -> Points:
        return np.maximum((direction[2] - slope_u * direction[0] - slope_v * direction[1]) * length, 0)

    # the grid rolls with the head, the light does not
    cos, sin = np.cos(moment.roll), np.sin(moment.roll)
    x, y, z = light.key
    key = np.array([x * cos + y * sin, y * cos - x * sin, z])
    half = key + [0, 0, 1]
    factors = (light.ambient + facing(key)[..., None] * light.colour) * _paint(person, shape)
    shine = light.gloss * facing(half / np.linalg.norm(half)) ** 24
    return factors.astype(np.float32), shine.astype(np.float32)


def _gaussians(at: Points, wide: Points, tall: Points) -> tuple[Points, Points]:
    """(U, K) and (V, K) factors of K Gaussians."""
    return (
        np.exp(-0.5 * ((GRID_U[:, None] - at[:, 0]) / wide) ** 2),
        np.exp(-0.5 * ((GRID_V[:, None] - at[:, 1]) / tall) ** 2),
    )


def _slopes(person: Person, moment: Moment, shape: Face) -> tuple[Points, Points]:
    """Slope of the relief to the right and down, each (V, U)."""
    p = shape.landmarks
    hills: list[tuple[Points, float, float, float]] = []  # where, height, width, tallness
    sides = (
        (-1, p[36:42].mean(0), p[17:22].mean(0), p[31], p[48], shape.cheeks[0]),
        (1, p[42:48].mean(0), p[22:27].mean(0), p[35], p[54], shape.cheeks[1]),
    )
    fold = 0.016 + 0.042 * max(moment.smile, moment.cheek)
    for side, eye, brow, wing, corner, cheek in sides:
        hills += [
            (brow + [0, 0.06], 0.05, 0.3, 0.1),
            (eye + [-0.1 * side, -0.04], -0.1, 0.2, 0.16),
            (eye, 0.05, 0.16, 0.1),
            (cheek, person.cheek + 0.09 * moment.cheek, 0.26, 0.2),
            (wing + [-0.03 * side, -0.05], 0.075, 0.08, 0.08),
            (wing + 0.3 * (corner - wing) + [0.09 * side, 0], -fold, 0.07, 0.12),
            (wing + 0.75 * (corner - wing) + [0.13 * side, 0], -fold, 0.07, 0.12),
            (corner + [0.04 * side, 0.02], -0.025, 0.07, 0.07),
            (np.array([1.0 * side, -0.35]), -0.05, 0.2, 0.3),
        ]
    nose = person.nose_depth / 0.38
    hills += [
        (p[27], 0.05 * nose, 0.09, 0.14),
        (p[28], 0.065 * nose, 0.1, 0.14),
        (p[29], 0.1 * nose, 0.11, 0.13),
        (p[30], 0.16 * nose, 0.13, 0.11),
        (p[33] + [0, 0.09], -0.03, 0.1, 0.06),
        (p[51] + [0, 0.03], 0.04, 0.2, 0.05),
        (p[57] + [0, -0.04], 0.05, 0.18, 0.06),
        ((p[62] + p[66]) / 2, -0.035, 0.28, 0.035),
        (p[57] + [0, 0.12], -0.05, 0.22, 0.07),
        (p[8] + [0, -0.22], 0.09, 0.24, 0.16),
    ]
    at = np.array([hill[0] for hill in hills])
    height, wide, tall = np.array([hill[1:] for hill in hills]).T
    across, down = _gaussians(at, wide, tall)
    slope_u = (down * height) @ (across * (at[:, 0] - GRID_U[:, None]) / wide**2).T
    slope_v = (down * height * (at[:, 1] - GRID_V[:, None]) / tall**2) @ across.T

    # the head is an ellipsoid, the neck below the chin a column
    u, v = GRID_U[None] / 1.3, (GRID_V[:, None] - 0.12) / 1.85
    depth = 1.25 * np.sqrt(np.maximum(1 - u**2 - v**2, 0.12))
    neck_u = -np.clip(GRID_U[None] / 0.75, -0.85, 0.85)
    neck = np.clip((GRID_V[:, None] - p[8, 1]) / 0.12, 0, 1)
    head_u, head_v = slope_u - 1.25**2 / 1.3 * u / depth, slope_v - 1.25**2 / 1.85 * v / depth
    return head_u + neck * (neck_u / np.sqrt(1 - neck_u**2) - head_u), head_v * (1 - neck)


def _paint(person: Person, shape: Face) -> Points:
    """(V, U, 3) factors of the colours: shadows in hollows, redness of cheeks and nose, a beard."""
    p = shape.landmarks
    at = np.stack(
        [
            p[36:42].mean(0) + [0.03, -0.09],
            p[42:48].mean(0) + [-0.03, -0.09],
            p[33] + [0, 0.06],
            p[57] + [0, 0.1],
            (p[62] + p[66]) / 2,
            p[8] + [0, 0.26],
        ]
    )
    depth, wide, tall = np.array(
        [
            [0.19, 0.24, 0.1],
            [0.19, 0.24, 0.1],
            [0.18, 0.17, 0.05],
            [0.1, 0.2, 0.05],
            [0.08, 0.25, 0.05],
            [0.42, 0.8, 0.2],
        ]
    ).T
    across, down = _gaussians(at, wide, tall)
    paint = np.repeat((1 - (down * depth) @ across.T)[..., None], 3, 2)
    across, down = _gaussians(np.array([*shape.cheeks, p[30]]), np.full(3, 0.24), np.full(3, 0.17))
    paint[..., 1:] *= (1 - 0.1 * down @ across.T)[..., None]
    if person.beard:
        mask = np.zeros(paint.shape[:2], np.uint8)
        top = p[[54, 53, 51, 49, 48]] + [[0.2, -0.14], [0.1, -0.08], [0, -0.075], [-0.1, -0.08], [-0.2, -0.14]]
        cv2.fillPoly(
            mask, [_cells(np.concatenate([p[1:16], p[[13]] + [-0.08, -0.12], top, p[[3]] + [0.08, -0.12]]))], 255
        )
        cv2.fillPoly(mask, [_cells(p[48:60])], 0)
        share = cv2.GaussianBlur(mask, (0, 0), 1.6)[..., None] * (person.beard / 255)
        paint *= 1 + share * (np.array(person.hair_colour) / person.skin - 1)
    return paint


def _cells(uv: Points) -> NDArray[np.int32]:
    return np.rint((uv - [GRID_U[0], GRID_V[0]]) * _STEPS).astype(np.int32)
