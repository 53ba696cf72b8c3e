"""Colours of a person at the mesh's vertices: skin, lips, brows, beard, marks, and folds that expressions deepen."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from starter.rig import Part, Points, Rig

Array = NDArray[np.float64]

_LIGHT = np.log([0.62, 0.415, 0.315])
_DARK = np.log([0.095, 0.05, 0.034])
"""Linear reflectance of the lightest and of the darkest skin."""

HAIR = np.array([[0.012, 0.010, 0.010], [0.030, 0.018, 0.012], [0.075, 0.040, 0.022], [0.17, 0.095, 0.045],
                 [0.36, 0.24, 0.12], [0.24, 0.075, 0.025], [0.30, 0.29, 0.28], [0.62, 0.61, 0.59]])  # fmt: skip
_HAIR_ODDS = np.array([0.30, 0.22, 0.16, 0.09, 0.08, 0.03, 0.07, 0.05])
IRIS = np.array([[0.030, 0.014, 0.007], [0.075, 0.035, 0.015], [0.12, 0.08, 0.03], [0.09, 0.12, 0.06],
                 [0.10, 0.17, 0.24], [0.16, 0.19, 0.21]])  # fmt: skip


@dataclass(frozen=True)
class Complexion:
    """melanin: 0 lightest, 1 darkest. skin, hair, brow: (3,) linear colours. age: 0 young, 1 old."""

    melanin: float
    skin: Array
    hair: Array
    brow: Array
    age: float
    gloss: float


@dataclass(frozen=True)
class Paint:
    """albedo: (V, 3). folds: (F, M) how dark each fold of the skin is at its deepest, of the vertices `front` (M,);
    `fold_depths` says how deep they are."""

    albedo: Points
    front: NDArray[np.int64]
    folds: Points


FOLDS: dict[str, dict[str, float]] = {
    "nasolabial": {"mouthSmile": 0.8, "noseSneer": 0.7, "mouthUpperUp": 0.6, "cheekSquint": 0.3},
    "forehead": {"browOuterUp": 0.6, "browInnerUp": 0.6},
    "glabella": {"browDown": 1.1},
    "crow": {"cheekSquint": 0.5, "eyeSquint": 0.6, "mouthSmile": 0.3},
    "bag": {"cheekSquint": 0.5, "eyeSquint": 0.6, "mouthSmile": 0.2},
    "marionette": {"mouthFrown": 0.9, "mouthPress": 0.3},
    "bunny": {"noseSneer": 1.0},
    "chin": {"mouthShrugLower": 0.9},
    "corner": {"mouthSmile": 0.6, "mouthDimple": 0.9},
}
"""Folds, and which shapes deepen them; at rest they are as deep as age makes them."""


def draw_complexion(rng: np.random.Generator) -> Complexion:
    """Any tone of skin; hair follows it in part, as in the world."""
    melanin = float(rng.beta(0.9, 1.1))
    red = rng.normal(0, 0.10)
    skin = np.exp(_LIGHT + (_DARK - _LIGHT) * melanin + np.array([0.15, -0.5, -0.45]) * red + rng.normal(0, 0.05))
    age = float(rng.beta(1.1, 1.6))
    odds = _HAIR_ODDS * np.array([1, 1, 1, 1, 1, 1, 0.2 + 2.5 * age, 0.1 + 2.5 * age])
    if melanin > 0.45:
        odds = odds * [3, 1.5, 0.5, 0.15, 0.15, 0.1, 1, 1]
    hair = (
        HAIR[rng.choice(len(HAIR), p=odds / odds.sum())] * np.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.06, 3))
    )
    brow = np.minimum(hair * rng.uniform(0.6, 1.2), skin * rng.uniform(0.15, 0.6))
    return Complexion(melanin, skin, hair, brow, age, float(np.exp(rng.normal(np.log(0.04), 0.5))))


def noise(points: NDArray, rng: np.random.Generator, length: float, waves: int = 14) -> Array:
    """(V,) smooth noise of about unit spread with bumps of this length in cm."""
    k = rng.normal(0, 1 / length, (3, waves))
    return np.cos(points.astype(np.float32) @ k.astype(np.float32) + rng.uniform(0, 6.3, waves).astype(np.float32)).sum(
        1
    ) * np.sqrt(2 / waves)


def distance(points: NDArray, line: NDArray) -> Array:
    """(V,) from points (V, 2) to a line through (N, 2)."""
    start, step = line[:-1], np.diff(line, axis=0)
    relative = points[:, None] - start
    along = np.clip((relative * step).sum(2) / np.maximum((step**2).sum(1), 1e-9), 0, 1)
    return np.sqrt(((relative - along[..., None] * step) ** 2).sum(2).min(1))


def inside(points: NDArray, polygon: NDArray) -> NDArray[np.bool_]:
    """(V,) whether points (V, 2) lie in the polygon (N, 2)."""
    x, y = points.T[:, :, None]
    (ax, ay), (bx, by) = polygon.T, np.roll(polygon, -1, 0).T
    crosses = ((ay > y) != (by > y)) & (x < (bx - ax) * (y - ay) / np.where(by == ay, 1e-9, by - ay) + ax)
    return crosses.sum(1) % 2 == 1


@dataclass(frozen=True)
class Regions:
    """Of a rig, in the plane of the resting face. front: vertices of the skin that can show in a crop; the rest is of
    these only: plane (M, 2); lips, cheeks, under_eyes, lids, beard, moustache (M,) 0 to 1; folds (F, M)."""

    front: NDArray[np.int64]
    plane: Array
    lips: Array
    cheeks: Array
    under_eyes: Array
    lids: Array
    beard: Array
    moustache: Array
    folds: Array


def _soft(value: NDArray, width: float) -> Array:
    return 1 / (1 + np.exp(-np.clip(value / width, -30, 30)))


@lru_cache(maxsize=8)
def regions(rig: Rig) -> Regions:
    """Found once for each rig."""
    marks = rig.rest_landmarks[:, :2].astype(np.float64)
    skin = (rig.parts == Part.SKIN) & (rig.neutral[:, 2] > rig.rest_landmarks[0, 2] - 4)
    front = np.flatnonzero(skin)
    plane = rig.neutral[front, :2].astype(np.float64)
    depth = rig.neutral[front, 2]
    x, y = plane.T
    near = depth > rig.rest_landmarks[48, 2] - 3.0
    outer = marks[48:60]
    edge = distance(plane, np.concatenate([outer, outer[:1]]))
    lips = _soft(np.where(inside(plane, outer), edge, -edge) + 0.02, 0.07) * near

    def blob(points: NDArray, reach: float) -> Array:
        return np.exp(-(((plane[:, None] - np.atleast_2d(points)) ** 2).sum(2) / (2 * reach**2))).sum(1).clip(0, 1)

    eyes = marks[36:42].mean(0), marks[42:48].mean(0)
    cheeks = blob(np.array([[s * 4.2, eyes[0][1] - 3.6] for s in (-1, 1)]), 1.5) + 0.7 * blob(marks[30], 0.9)
    under = blob(np.stack([eye - [0, 0.95] for eye in eyes]), 0.55)
    upper = [distance(plane, marks[group]) for group in ([36, 37, 38, 39], [42, 43, 44, 45])]
    lids = np.exp(-((np.minimum(*upper) / 0.28) ** 2))
    mouth = marks[48, 1]
    line = mouth + 0.4 + 0.16 * np.maximum(np.abs(x) - 3, 0) ** 1.6
    beard = _soft(line - y, 0.45) * (1 - lips) * _soft(y - (marks[8, 1] - 2.5), 0.6)
    bare = np.exp(-(((x) / 1.0) ** 2 + ((y - (marks[57, 1] - 0.45)) / 0.35) ** 2))
    beard = beard * (1 - 0.5 * bare)
    wings = np.array([marks[48] + [-0.5, 0.1], marks[50] + [-0.3, 0.45], marks[51] + [0, 0.5], marks[52] + [0.3, 0.45],
                      marks[54] + [0.5, 0.1]])  # fmt: skip
    moustache = np.exp(-((distance(plane, wings) / 0.42) ** 2)) * (1 - lips) * (y < marks[33, 1] + 0.1)
    front_of = _soft(depth - (rig.rest_landmarks[0, 2] + 0.5), 0.8)
    folds = np.stack([_fold(plane, lines, width) for lines, width in _fold_lines(marks)]) * front_of
    return Regions(front, plane, lips, cheeks.clip(0, 1), under, lids, beard, moustache * near, folds)


def _fold(plane: Array, lines: list[NDArray], width: float) -> Array:
    return np.exp(-((np.min([distance(plane, line) for line in lines], 0) / width) ** 2))


def _fold_lines(m: Array) -> list[tuple[list[NDArray], float]]:
    """The lines of each fold of `FOLDS` in cm, and half their width."""

    def both(line: list[NDArray | list[float]]) -> list[NDArray]:
        points = np.array(line, float)
        return [points, points * [-1, 1]]

    brow = float(m[17:27, 1].mean())
    outer, corner = m[45], m[54]
    foreheads = [
        np.stack([np.linspace(-4, 4, 9), brow + up + 0.25 * np.cos(np.linspace(-4, 4, 9) / 1.6)], 1)
        for up in (1.2, 2.1, 3.0)
    ]
    crow = [both([outer + [0.35, 0.1 * k], outer + [1.25, 0.42 * k]]) for k in (-1, 0.3, 1.4)]
    eye = m[42:48].mean(0)
    return [
        (both([m[35] + [0.35, 0.5], m[35] + [1.0, -0.4], corner + [0.95, 0.5], corner + [0.9, -0.6]]), 0.34),
        (foreheads, 0.24),
        (both([[0.55, m[27, 1] + 0.9], [0.5, brow], [0.65, brow + 0.8]]), 0.20),
        ([line for pair in crow for line in pair], 0.16),
        (both([eye + [-1.3, -0.55], eye + [-0.4, -1.0], eye + [0.7, -1.0], eye + [1.5, -0.6]]), 0.22),
        (both([corner + [0.15, -0.15], corner + [0.45, -1.2], corner + [0.35, -1.9]]), 0.32),
        (both([[0.55, m[28, 1] + 0.6], [0.8, m[28, 1] - 0.1]]), 0.16),
        ([np.stack([np.linspace(-1.2, 1.2, 5), m[57, 1] - 0.9 + 0.2 * np.cos(np.linspace(-1.5, 1.5, 5))], 1)], 0.26),
        (both([corner + [0.28, 0.25], corner + [0.38, 0.0], corner + [0.28, -0.3]]), 0.2),
    ]


def draw_paint(rng: np.random.Generator, rig: Rig, look: Complexion, brows: bool = True) -> Paint:
    """Everything that is coloured on the mesh of one person, with brows or without."""
    area, points = regions(rig), rig.neutral
    albedo = np.tile(look.skin, (len(points), 1))
    skin = rig.parts == Part.SKIN
    albedo[skin] *= np.exp(rng.uniform(0.01, 0.05) * rng.normal(size=(int(skin.sum()), 1)))
    face = albedo[area.front]
    where = points[area.front]
    blood = 0.10 * noise(where, rng, 2.5) + 0.06 * noise(where, rng, 0.7) + rng.uniform(0, 0.5) * area.cheeks
    face *= np.exp(blood[:, None] * rng.uniform(0.3, 1.0) * [0.02, -0.30, -0.25])
    face *= np.exp(
        rng.uniform(0.02, 0.09) * noise(where, rng, 1.3) + rng.uniform(0.01, 0.06) * noise(where, rng, 0.35)
    )[:, None]
    face *= (1 - rng.beta(1.2, 3) * 0.6 * area.under_eyes)[:, None]
    for _ in range(int(rng.geometric(0.25)) - 1):
        spot = area.plane[rng.integers(len(area.plane))]
        size, dark = rng.uniform(0.08, 0.22), rng.uniform(0.2, 0.7)
        face *= 1 - dark * np.exp(-(((area.plane - spot) ** 2).sum(1) / size**2))[:, None]
    if rng.random() < 0.10:
        freckles = np.clip(noise(where, rng, 0.18) - 1.0, 0, 1) * np.clip(area.cheeks + 0.3, 0, 1)
        face *= np.exp(-rng.uniform(0.2, 0.6) * freckles[:, None] * [0.6, 1, 1.1])
    _paint_lips_and_lids(rng, face, area, look)
    _paint_beard(rng, face, area, look, where)
    if brows:
        _paint_brows(rng, face, rig, area, look)
    albedo[area.front] = face
    _paint_inside(rng, albedo, rig, look)
    folds = area.folds * (1 - area.lips) * rng.uniform(0.25, 0.6, (len(area.folds), 1))
    return Paint(np.clip(albedo, 0.004, 0.95).astype(np.float32), area.front, folds.astype(np.float32))


def _paint_lips_and_lids(rng: np.random.Generator, face: Array, area: Regions, look: Complexion) -> None:
    colour = look.skin * np.array([0.88, rng.uniform(0.45, 0.78), rng.uniform(0.5, 0.85)]) * rng.uniform(0.75, 1.05)
    strength = rng.uniform(0.45, 0.95)
    if rng.random() < 0.18:  # make-up
        colour = np.array([rng.uniform(0.15, 0.5), rng.uniform(0.01, 0.10), rng.uniform(0.02, 0.14)])
        strength = rng.uniform(0.7, 1)
    face += (strength * area.lips)[:, None] * (colour - face)
    if rng.random() < 0.3:
        shadow = np.array([0.02, 0.015, 0.02]) if rng.random() < 0.6 else rng.uniform(0.03, 0.3, 3)
        face += (rng.uniform(0.2, 0.8) * area.lids)[:, None] * (shadow - face)


def _paint_beard(rng: np.random.Generator, face: Array, area: Regions, look: Complexion, where: NDArray) -> None:
    kind = rng.random()
    if kind > 0.38:
        return
    chin = np.exp(-((area.plane[:, 0] / rng.uniform(1.4, 2.6)) ** 4))
    low = {0: area.beard, 1: area.beard * chin, 2: np.zeros(len(face))}[int(rng.choice(3, p=[0.6, 0.2, 0.2]))]
    mask = np.maximum(low, area.moustache * (rng.random() < 0.85))
    strength = rng.uniform(0.12, 0.45) if kind < 0.2 else rng.uniform(0.6, 0.97)
    mask = strength * mask * np.clip(1 + 0.25 * noise(where, rng, 0.4) + 0.2 * noise(where, rng, 1.5), 0, 1.3)
    face += mask.clip(0, 1)[:, None] * (np.minimum(look.hair * 1.1, look.skin) - face)


def _paint_brows(rng: np.random.Generator, face: Array, rig: Rig, area: Regions, look: Complexion) -> None:
    marks = rig.rest_landmarks[:, :2].astype(np.float64)
    thick = float(np.exp(rng.normal(np.log(0.36), 0.30)))
    dark = float(rng.beta(3.5, 1.2))
    lift, arch, tilt = rng.normal(-0.40, 0.20), rng.normal(0, 0.16), rng.normal(0, 0.16)
    longer, gap = rng.normal(0.15, 0.3), rng.normal(0, 0.2)
    along = np.linspace(0, 1, 5)  # inner to outer
    change = np.stack([gap + (longer - gap) * along, lift + arch * np.sin(np.pi * along) - tilt * along], 1)
    taper = rng.uniform(0.25, 0.8)
    for side, line in ((1, marks[22:27]), (-1, marks[21:16:-1])):
        _hairs(rng, face, area, line + change * [side, 1], thick, taper, dark, look)


def _hairs(
    rng: np.random.Generator, face: Array, area: Regions, brow: Array, thick: float, taper: float, dark: float,
    look: Complexion,
) -> None:  # fmt: skip
    fine = np.stack([np.interp(np.linspace(0, 4, 17), range(5), column) for column in brow.T], 1)
    close = np.flatnonzero(np.abs(area.plane - fine.mean(0)).max(1) < 4.5)
    gaps = np.sqrt(((area.plane[close, None] - fine) ** 2).sum(2))
    nearest = gaps.argmin(1) / 16
    half = thick * np.clip(0.75 + 1.2 * nearest, 0, 1) * (1 - (1 - taper) * np.clip((nearest - 0.45) / 0.55, 0, 1))
    mask = _soft(half - distance(area.plane[close], fine), 0.06)
    mask = dark * mask * np.clip(1 + 0.18 * rng.normal(size=len(mask)), 0, 1.1)
    face[close] += mask.clip(0, 1)[:, None] * (look.brow - face[close])


def _paint_inside(rng: np.random.Generator, albedo: Array, rig: Rig, look: Complexion) -> None:
    teeth = np.array([0.56, 0.51, 0.42]) * rng.uniform(0.6, 1.15) * np.exp(rng.normal(0, [0, 0.03, 0.10]))
    lash = look.skin * 0.6
    lash = lash + rng.uniform(0.1, 0.95) * (look.brow * 0.3 - lash)
    inside = {Part.MOUTH: [0.16, 0.045, 0.04], Part.GUM: [0.33, 0.12, 0.11], Part.TOOTH: teeth, Part.LASH: lash}
    for part, colour in inside.items():
        albedo[rig.parts == part] = colour
    inner = np.isin(rig.parts, [Part.MOUTH, Part.GUM, Part.TOOTH])
    back = np.clip((rig.rest_landmarks[62, 2] - 0.6 - rig.neutral[inner, 2]) / 4.5, 0, 1)
    albedo[inner] *= (1 - 0.85 * back)[:, None]


def fold_depths(weights: NDArray, names: tuple[str, ...], age: float) -> NDArray[np.float32]:
    """(T, F) how deep each fold is, 0 to about 1.2."""
    out = []
    for shapes in FOLDS.values():
        total = 0.10 * age + np.zeros(len(weights))
        for stem, part in shapes.items():
            pair = [i for i, name in enumerate(names) if name in (stem, f"{stem}_L", f"{stem}_R")]
            total = total + part * np.maximum(weights[:, pair], 0).mean(1)
        out.append((0.35 + 0.75 * age) * np.minimum(total, 1.2) + 0.25 * age)
    return np.stack(out, 1).astype(np.float32)
