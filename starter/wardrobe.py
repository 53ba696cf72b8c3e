"""What a head wears or is hidden by: eyes, hair, hats, glasses, hands, each a small mesh in the head's coordinates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from starter.paint import Complexion
from starter.rig import Part, Points, Rig

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """points: (V, 3). triangles: (T, 3). albedo: (V, 3). part: of all. thin: seen from both sides. side: of an eye.
    follows: (V, 3) vertices of the head that each point moves with, and their weights (V, 3); None, it stays."""

    points: Points
    triangles: NDArray[np.int32]
    albedo: Points
    part: Part
    thin: bool = True
    side: int = 0
    follows: tuple[NDArray[np.int32], Array] | None = None


def grid_triangles(rows: int, columns: int, closed: bool = False) -> NDArray[np.int32]:
    """(T, 3) of a grid of vertices, row by row; `closed` joins the last column with the first."""
    across = columns if closed else columns - 1
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(across), indexing="ij")
    a, b = r * columns + c, r * columns + (c + 1) % columns
    quads = np.stack([a, a + columns, b + columns, b], -1).reshape(-1, 4)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)


def sphere(rows: int = 10, columns: int = 16) -> tuple[Array, NDArray[np.int32]]:
    """Unit vectors (V, 3), the pole on +z, and triangles."""
    polar = np.linspace(0.02, np.pi - 0.02, rows)
    turn = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    points = np.stack([np.outer(np.sin(polar), np.cos(turn)), np.outer(np.sin(polar), np.sin(turn)),
                       np.outer(np.cos(polar), np.ones(columns))], -1).reshape(-1, 3)  # fmt: skip
    return points, grid_triangles(rows, columns, closed=True)


def eyeballs(rig: Rig, head: Points) -> list[Piece]:
    """The person's right and left eyeball, in place of the model's own; no lid cuts into it on its way down."""
    unit, triangles = sphere(12, 16)
    starts, vertices, moves = rig.sparse_shapes
    out = []
    for side, (own, shape) in enumerate(zip(rig.eyes, ("eyeBlink_R", "eyeBlink_L"), strict=True)):
        low, high = head[own].min(0), head[own].max(0)
        radius = float((high[:2] - low[:2]).mean() / 2)
        centre = np.array([*(low + high)[:2] / 2, low[2] + radius])
        rows = slice(*starts[rig.index(shape) : rig.index(shape) + 2])
        lid, down = vertices[rows], moves[rows]
        skin = (rig.parts[lid] == Part.SKIN) & (np.linalg.norm(down, axis=1) > 0.15)
        path = head[lid[skin]] + np.array([0.0, 0.3, 0.6, 1.0])[:, None, None] * down[skin]
        room = np.percentile(np.linalg.norm(path - centre, axis=2), 2)
        points = centre + min(radius, room) * 0.99 * unit
        out.append(Piece(points.astype(np.float32), triangles, unit.astype(np.float32), Part.EYE, False, side))
    return out


_TURNS, _LEVELS = 72, 48
_TOP, _BOTTOM = 15.5, -12.0


@dataclass(frozen=True)
class Skull:
    """The head's distance from its upright axis: radius (LEVELS, TURNS) by height, from the top, and by angle from the
    face's middle to the person's left. axis: z of the axis in cm."""

    radius: Array
    axis: float

    def at(self, height: Array, turn: Array) -> Array:
        """Radius in cm at heights in cm and turns in radians."""
        row = np.clip((_TOP - height) / (_TOP - _BOTTOM) * (_LEVELS - 1), 0, _LEVELS - 1.001)
        column = (turn / (2 * np.pi) * _TURNS) % _TURNS
        r, c = row.astype(int), column.astype(int) % _TURNS
        fr, fc, c1 = row - r, column - np.floor(column), (c + 1) % _TURNS
        low = self.radius[r, c] * (1 - fc) + self.radius[r, c1] * fc
        return (low * (1 - fr)) + (self.radius[r + 1, c] * (1 - fc) + self.radius[r + 1, c1] * fc) * fr


def measure_skull(rig: Rig, head: Points) -> Skull:
    """Where the skin lies, seen from the axis."""
    axis = 0.5
    points = head[rig.parts == Part.SKIN]
    x, y, z = points.T
    row = np.round((_TOP - y) / (_TOP - _BOTTOM) * (_LEVELS - 1)).astype(int)
    column = np.round(np.arctan2(x, z - axis) / (2 * np.pi) * _TURNS).astype(int) % _TURNS
    inside = (row >= 0) & (row < _LEVELS)
    far = np.zeros((_LEVELS, _TURNS))
    np.maximum.at(far, (row[inside], column[inside]), np.hypot(x, z - axis)[inside])
    seen = (far > 0).astype(float)
    tile = np.tile(far, 3), np.tile(seen, 3)
    soft = gaussian_filter(tile[0], 1.2) / np.maximum(gaussian_filter(tile[1], 1.2), 1e-3)
    soft = soft[:, _TURNS : 2 * _TURNS]
    top = y.max()
    heights = np.linspace(_TOP, _BOTTOM, _LEVELS)
    soft[heights > top] = 0.0
    return Skull(np.maximum(soft, np.where(far > 0, 0.9 * far, 0)), axis)


def _around(turns: int) -> Array:
    """Angles from -pi to pi; the seam is at the back."""
    return np.linspace(-np.pi, np.pi, turns)


def _cover(skull: Skull, edge: Array, thick: Array, hang: float, top: float, rows: int = 26) -> tuple[Array, Array]:
    """A surface over the skull, from `top` cm down to `edge` (T,) at each angle: points (rows, T, 3), height from the
    edge (rows, T). hang: 1, it falls straight from where the head is widest; 0, it lies on the head."""
    turn = _around(len(edge))
    part = np.linspace(0, 1, rows)[:, None] ** 0.8
    height = top + (np.minimum(edge, top - 0.5) - top) * part
    radius = skull.at(np.minimum(height, top - 0.4), np.broadcast_to(turn, height.shape))
    widest = np.maximum.accumulate(radius, 0)
    side = np.clip((np.abs(turn) - 0.7) / 0.5, 0, 1)
    radius = radius + hang * side * (widest - radius)
    dome = np.clip((top - height) / 2.5, 0, 1) ** 0.5
    radius = radius * np.maximum(dome, 0.05) + thick * dome
    points = np.stack(
        [radius * np.sin(turn), height + 0.6 * thick * (1 - part), skull.axis + radius * np.cos(turn)], -1
    )
    return points, np.broadcast_to(height - edge, height.shape)


def draw_hair(rng: np.random.Generator, rig: Rig, head: Points, skull: Skull, look: Complexion) -> list[Piece]:
    """A haircut: bald, cropped, short, parted, with a fringe, chin-length, long; straight or curled."""
    bald = rng.random() < 0.06 + 0.10 * look.age
    if bald:
        return []
    marks = head[rig.landmarks]
    brow, top = float(marks[19:25, 1].max()), float(head[rig.parts == Part.SKIN][:, 1].max())
    turn = _around(96)
    ahead = np.abs(turn)
    forehead = brow + rng.uniform(2.6, 5.6)
    temple = forehead - rng.uniform(0.2, 1.6) + rng.normal(0, 0.6) * (rng.random() < 0.4)
    ear = float(marks[[0, 16], 1].mean())
    burns = ear - rng.uniform(-1.5, 2.5)
    knots = np.array([0, 0.45, 0.8, 1.08, 1.3, 1.7, 2.2, np.pi])
    nape = ear - rng.uniform(5, 8)
    heights = np.array([forehead, forehead - 0.1, temple, temple - 3.0, burns, ear + 2.2, nape + 2, nape])
    short = np.interp(ahead, knots, heights)
    style = rng.choice(["short", "fringe", "bob", "long", "tied"], p=[0.44, 0.14, 0.12, 0.18, 0.12])
    thick = float(np.exp(rng.normal(np.log(0.6), 0.55)))
    edge, hang = short, 0.0
    curl = rng.choice([0.0, 0.3, 1.0], p=[0.5, 0.3, 0.2]) * rng.uniform(0.3, 1.0)
    if style in ("bob", "long"):
        opens, falls = rng.uniform(0.62, 1.15), rng.uniform(0.05, 0.3)
        end = float(marks[8, 1]) + (rng.uniform(-1, 4) if style == "bob" else -rng.uniform(2, 5))
        lean = rng.normal(0, 0.12)
        curtain = 1 / (1 + np.exp(-(np.abs(turn + lean) - opens) / falls * 2))
        edge, hang = short + curtain * (np.minimum(end, short) - short), float(rng.uniform(0.6, 1.0))
        thick = max(thick, 0.5)
    if style == "fringe" or (style in ("bob", "long") and rng.random() < 0.35):
        low, wide = brow + rng.uniform(-0.6, 2.6), rng.uniform(0.5, 1.0)
        slant = rng.normal(0, 1.2)
        strands = rng.normal(0, 0.5, len(turn)) + slant * turn
        fringe = low + gaussian_filter1d(strands, 1.2, mode="wrap")
        share = 1 / (1 + np.exp((ahead - wide) / 0.07))
        edge = np.where(share > 0.02, np.minimum(edge, edge + share * (np.minimum(fringe, edge) - edge)), edge)
    rough = gaussian_filter1d(rng.normal(0, 1, len(turn)), 1.0, mode="wrap")
    edge = edge + rough * rng.uniform(0.1, 0.5)
    swell = thick * (1 + 0.35 * gaussian_filter1d(rng.normal(0, 3, len(turn)), 6, mode="wrap").clip(-1.5, 1.5))
    points, above = _cover(skull, edge, swell, hang, top + 0.3)
    bumps = gaussian_filter(rng.normal(0, 1, points.shape[:2]), (1.0, 1.4)) * 3.0
    out = points - np.array([0, points[..., 1].mean(), skull.axis])
    out[..., 1] *= 0.3
    out /= np.linalg.norm(out, axis=-1, keepdims=True) + 1e-9
    taper = np.clip(above / 1.2, 0.15, 1)
    points = points + out * (bumps * (0.12 + 0.8 * curl) * taper * min(thick + 0.2, 1.2))[..., None]
    streak = gaussian_filter(rng.normal(0, 1, points.shape[:2]), (4.0 - 3 * curl, 0.6)) * 3.0
    dark = np.exp(rng.uniform(0.1, 0.4) * streak)
    root = 1 - 0.3 * np.clip(1 - above / 1.5, 0, 1) * rng.uniform(0, 1)
    colour = look.hair * (dark * root)[..., None]
    return [_piece(points, colour, Part.HAIR)]


def _piece(points: Array, colour: Array, part: Part, closed: bool = False) -> Piece:
    """A grid of points (R, C, 3) with colours that can be broadcast to it."""
    rows, columns = points.shape[:2]
    albedo = np.broadcast_to(colour, points.shape).reshape(-1, 3)
    return Piece(
        points.reshape(-1, 3).astype(np.float32), grid_triangles(rows, columns, closed),
        np.clip(albedo, 0.004, 0.95).astype(np.float32), part,
    )  # fmt: skip


def draw_hat(rng: np.random.Generator, rig: Rig, head: Points, skull: Skull) -> list[Piece]:
    """A cap, a woollen hat, a hat with a brim, a headband, or a scarf around the head."""
    marks = head[rig.landmarks]
    brow, top = float(marks[19:25, 1].max()), float(head[:, 1].max())
    turn = _around(72)
    colour = rng.beta(0.7, 1.2) * np.exp(rng.normal(0, 0.5, 3))
    kind = rng.choice(["cap", "wool", "brim", "scarf", "band"], p=[0.3, 0.25, 0.2, 0.15, 0.1])
    low = brow + rng.uniform(0.5, 3.5)
    edge = low - 0.8 * (1 - np.cos(turn)) + rng.normal(0, 0.25) * np.sin(turn)
    hang = 0.0
    if kind == "scarf":
        opens = rng.uniform(0.95, 1.2)
        curtain = 1 / (1 + np.exp(-(np.abs(turn) - opens) / 0.05))
        edge, hang = edge + curtain * (marks[8, 1] - 4 - edge), 0.8
    above = low + 1.5 if kind == "band" else top + 0.8
    points, _ = _cover(skull, edge, np.full(len(turn), rng.uniform(0.6, 1.2)), hang, above)
    weave = 1 + rng.uniform(0, 0.35) * gaussian_filter(rng.normal(0, 1, points.shape[:2]), (0.4, 1.5)) * 2
    pieces = [_piece(points, np.clip(colour, 0.01, 0.9) * weave[..., None], Part.CLOTH)]
    if kind in ("cap", "brim"):
        near = turn if kind == "brim" else turn[np.abs(turn) < 0.95]
        rim = np.interp(near, turn, edge)
        reach = rng.uniform(3, 6) * (1.0 if kind == "brim" else np.cos(near / 0.95 * np.pi / 2) ** 0.5)
        radius = skull.at(rim, near) + 0.8
        steps = np.linspace(0, 1, 4)[:, None]
        grown = radius + steps * reach
        drop = rim - steps * reach * rng.uniform(-0.1, 0.45)
        brim = np.stack([grown * np.sin(near), drop, skull.axis + grown * np.cos(near)], -1)
        pieces.append(_piece(brim, np.clip(colour, 0.01, 0.9) * rng.uniform(0.5, 1.1), Part.CLOTH))
    return pieces


def draw_glasses(rng: np.random.Generator, rig: Rig, head: Points) -> tuple[list[Piece], list[Piece], Array]:
    """Frames; lenses, to be drawn over the rest; and of the lenses colour (3) and opacity (1)."""
    marks = head[rig.landmarks]
    centres = np.stack([marks[36:42].mean(0), marks[42:48].mean(0)])
    wide, high = rng.uniform(2.0, 2.9), rng.uniform(1.3, 2.4)
    power, drop = rng.uniform(1.8, 5.0), rng.uniform(-0.2, 0.5)
    forward = float(max(marks[27, 2], centres[:, 2].mean() + 0.9) + rng.uniform(0.2, 0.9))
    bow = rng.uniform(0.1, 0.35)
    turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    cos, sin = np.cos(turn), np.sin(turn)
    ring = np.stack([np.sign(cos) * np.abs(cos) ** (2 / power), np.sign(sin) * np.abs(sin) ** (2 / power)], 1)
    thick = float(np.exp(rng.uniform(np.log(0.08), np.log(0.4))))
    thin_top = rng.random() < 0.2  # half-rimmed
    colour = rng.choice([0.01, 0.03, 0.25]) * np.exp(rng.normal(0, 0.5, 3))
    if rng.random() < 0.6:
        colour = np.array([0.012, 0.011, 0.011])
    frames, lenses = [], []
    width = thick * np.where((sin < -0.2) & thin_top, 0.25, 1.0)
    for side, centre in zip((-1, 1), centres, strict=True):
        middle = np.array([centre[0] + side * 0.1, centre[1] - drop])
        edges = [middle + ring * (np.array([wide, high]) + grow * width[:, None]) for grow in (-0.5, 0.5)]
        edges = [np.column_stack([e, forward - bow * ((e[:, 0] / 3) ** 2)]) for e in edges]
        frames.append(_piece(np.stack(edges), colour, Part.PLASTIC, closed=True))
        inner = np.concatenate([[edges[0].mean(0)], edges[0]])
        fan = np.stack([np.zeros(28, int), 1 + np.arange(28), 1 + (np.arange(28) + 1) % 28], 1).astype(np.int32)
        lenses.append(Piece(inner.astype(np.float32), fan, np.zeros((29, 3), np.float32), Part.PLASTIC))
        ear = marks[0 if side < 0 else 16]
        hinge = np.array([middle[0] + side * wide, middle[1] + 0.4 * high, edges[0][0, 2]])
        arm = np.stack([np.linspace(hinge, [ear[0] + side * 0.6, hinge[1], ear[2] - 3], 5) + [0, up, 0]
                        for up in (thick, -thick)])  # fmt: skip
        frames.append(_piece(arm, colour, Part.PLASTIC))
    bridge = np.linspace([centres[0][0] + wide - 0.1, 0, 0], [centres[1][0] - wide + 0.1, 0, 0], 4)
    bridge[:, 1], bridge[:, 2] = centres[:, 1].mean() - drop + 0.25 * high, forward
    frames.append(_piece(np.stack([bridge + [0, thick / 2, 0], bridge - [0, thick / 2, 0]]), colour, Part.PLASTIC))
    dark = rng.random() < 0.15
    lens = (
        np.append(rng.uniform(0.0, 0.04, 3), rng.uniform(0.5, 0.93))
        if dark
        else np.append(np.full(3, rng.uniform(0.2, 1.0)), rng.uniform(0.0, 0.18))
    )
    return frames, lenses, lens


def _capsule(start: Array, stop: Array, radius: float) -> Array:
    """(6, 10, 3) grid of points around a line."""
    axis = stop - start
    length = np.linalg.norm(axis) + 1e-9
    axis = axis / length
    across = np.cross(axis, [0.3, 0.2, 0.93])
    across /= np.linalg.norm(across)
    other = np.cross(axis, across)
    turn = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    circle = np.cos(turn)[:, None] * across + np.sin(turn)[:, None] * other
    along = np.array([-radius, -0.6 * radius, 0, length, length + 0.6 * radius, length + radius])
    width = radius * np.array([0.05, 0.8, 1, 1, 0.8, 0.05])
    return start + along[:, None, None] * axis + width[:, None, None] * circle


def draw_hand(rng: np.random.Generator, rig: Rig, head: Points, skin: Array) -> list[Piece]:
    """A hand at the chin, a cheek, the mouth, an eye or the forehead, from below or from the side."""
    marks = head[rig.landmarks]
    place = marks[int(rng.choice([8, 5, 11, 3, 13, 57, 48, 54, 36, 45, 19, 24]))] + rng.normal(0, 0.8, 3)
    lean = rng.normal(0, 0.7)
    up = np.array([np.sin(lean), np.cos(lean), 0.0])
    side = np.array([up[1], -up[0], 0.0]) * rng.choice([-1, 1])
    out = np.array([0, 0, 1.0])
    palm = place - up * rng.uniform(3, 7) + out * rng.uniform(1.5, 3.0)
    tone = skin * np.exp(rng.normal(0, 0.12))
    size = rng.uniform(0.85, 1.15)
    pieces = [_piece(_capsule(palm - 2.5 * up, palm + 2.5 * up, 2.6 * size), tone, Part.HAND, True),
              _piece(_capsule(palm - 16 * up, palm - 3 * up, 2.3 * size), tone, Part.HAND, True)]  # fmt: skip
    curl = rng.uniform(0.0, 0.9)
    for k in range(4):
        root = palm + up * 3.2 + side * (k - 1.5) * 1.6 * size
        spread = side * (k - 1.5) * rng.uniform(0, 0.25)
        tip = root + (up + spread) * rng.uniform(4.5, 7) * (1 - 0.6 * curl) - out * rng.uniform(0.3, 1.6)
        pieces.append(_piece(_capsule(root, tip, 0.8 * size), tone * rng.uniform(0.92, 1.05), Part.HAND, True))
    thumb = palm + side * 2.4 * size
    pieces.append(_piece(_capsule(thumb, thumb + side * 1.8 + up * 4.2, 0.9 * size), tone, Part.HAND, True))
    return pieces
