"""The picture of a drawn person: flat colours at twice the size, then light, then camera noise."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from anclaf.synthetic.affect import Moment, perform
from anclaf.synthetic.face import Face, Points, face
from anclaf.synthetic.light import GRID_U, GRID_V, Lamp, lamp, shade
from anclaf.synthetic.person import Person

MIN_SIDE = 96
"""In smaller frames an eye has too few pixels."""

_SUPER = 2  # drawn this many times larger than the frame
_SHIFT = 4  # fractional bits of OpenCV's drawing coordinates
_MARGIN = 3.0  # pixels between the landmarks and the frame's border
_GRAIN = 32  # places that the grain can be moved to, each way

_WALLS = np.array(
    [[206, 196, 180], [150, 162, 170], [120, 140, 138], [176, 150, 128], [96, 104, 122], [186, 190, 196]], float
)


@dataclass(frozen=True)
class Shot:
    """What stays the same through a clip.

    size: width, height. scale: pixels in an eye distance. centre: pixels, of the middle of the eyes with the head at
    rest. backdrop: (2H, 2W, 3) uint8. grain: (H + 32, W + 32, 3) float32 camera noise, read at another place in each
    frame.
    """

    size: tuple[int, int]
    scale: float
    centre: tuple[float, float]
    light: Lamp
    backdrop: NDArray[np.uint8]
    grain: NDArray[np.float32]


def film(
    person: Person, rng: np.random.Generator, frames: int, fps: float, size: tuple[int, int]
) -> Iterator[tuple[Moment, NDArray[np.uint8], Points]]:
    """Perform and draw a clip: for each frame what is shown, (H, W, 3) uint8 RGB, and (68, 2) landmarks in pixels.

    `rng` decides everything beyond the person's habits. size: width, height, each at least `MIN_SIDE`.
    """
    moments = perform(person, rng, frames, fps)
    shot = _shot(rng, size)
    for moment in moments:
        yield moment, *_draw(person, shot, moment, rng)


def _shot(rng: np.random.Generator, size: tuple[int, int]) -> Shot:
    width, height = size
    scale = float(rng.uniform(0.2, 0.24) * min(height, 0.95 * width))
    centre = (float(width * rng.uniform(0.44, 0.56)), float(height * rng.uniform(0.46, 0.49)))
    grain = rng.standard_normal((height + _GRAIN, width + _GRAIN, 3), np.float32) * np.float32(rng.uniform(1.0, 3.5))
    return Shot(size, scale, centre, lamp(rng), _backdrop(rng, width, height), grain)


def _backdrop(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """A room out of focus: a wall, lighter above, with a few shapes in front of it."""
    w, h = width * _SUPER, height * _SUPER
    wall = _WALLS[rng.integers(len(_WALLS))] * rng.uniform(0.75, 1.05) + rng.uniform(-8, 8, 3)
    image = np.ascontiguousarray(np.linspace(1.1, 0.8, h)[:, None, None] * np.ones((1, w, 1)) * wall)
    for _ in range(rng.integers(2, 6)):
        colour = (wall * rng.uniform(0.6, 1.35) + rng.uniform(-22, 22, 3)).tolist()
        x, y, r = (rng.uniform(0, 1, 3) * [w, h, 0.2 * w]).astype(int).tolist()
        if rng.random() < 0.4:
            cv2.circle(image, (x, y), r, colour, -1)
        else:
            cv2.rectangle(image, (x, 0), (x + 2 * r, y), colour, -1)
    image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.012, 0.03) * w))
    return np.clip(image, 0, 255).astype(np.uint8)


def _draw(person: Person, shot: Shot, moment: Moment, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Points]:
    """One frame and its landmarks; `rng` moves the grain."""
    shape = face(person, moment)
    canvas = _Canvas(shot, moment, shape.landmarks)
    _draw_body(canvas, person)
    _draw_head(canvas, person, shape)
    _draw_eyes(canvas, person, shape)
    _draw_mouth(canvas, person, shape)
    _draw_nose(canvas, person, shape)
    _draw_hair(canvas, person, shape)
    if person.glasses:
        _draw_glasses(canvas, shape)
    if moment.hand is not None:
        _draw_hand(canvas, person, shot.light, moment.hand)

    width, height = shot.size
    flat = cv2.resize(canvas.image, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    factors, shine = shade(person, shot.light, moment, shape)
    where = canvas.grid_to_pixels()
    factors = cv2.warpAffine(factors, where, (width, height), borderMode=cv2.BORDER_REPLICATE)
    shine = cv2.warpAffine(shine, where, (width, height), borderMode=cv2.BORDER_CONSTANT)
    lit = flat[..., 3:] * np.float32(1 / 255)
    image = flat[..., :3] * (1 + lit * (factors - 1)) + lit * shine[..., None]
    x, y = rng.integers(0, _GRAIN, 2)
    image += shot.grain[y : y + height, x : x + width]
    return np.clip(image, 0, 255).astype(np.uint8), canvas.pixels(shape.landmarks)


class _Canvas:
    """The frame at twice its size: red, green, blue, and a fourth channel: 255 where the head's light falls.

    Positions and lengths are given in eye distances of the head, which is rolled and placed in the frame here.
    """

    def __init__(self, shot: Shot, moment: Moment, landmarks: Points) -> None:
        self._scale = shot.scale
        self._roll = moment.roll
        cos, sin = np.cos(moment.roll), np.sin(moment.roll)
        self._turn = np.array([[cos, sin], [-sin, cos]])
        # the head rolls about the neck, 1.6 below the eyes; the body follows its shifts by half
        neck = np.array([1.6 * sin, 1.6 * (1 - cos)])
        shift = np.array([moment.dx, moment.dy])
        self._origin = np.array(shot.centre) + shot.scale * (shift + neck)
        self._body = np.array(shot.centre) + shot.scale * 0.5 * shift
        # the camera follows, so that the face stays in the frame
        points = self.pixels(landmarks)
        low, high = np.array([_MARGIN, _MARGIN]), np.array(shot.size) - 1 - _MARGIN
        pan = np.maximum(low - points.min(0), 0) - np.maximum(points.max(0) - high, 0)
        self._origin, self._body = self._origin + pan, self._body + pan
        self.image = cv2.merge([shot.backdrop, np.zeros(shot.backdrop.shape[:2], np.uint8)])

    def pixels(self, uv: Points) -> Points:
        """(N, 2) of the head -> pixels of the frame."""
        return uv @ self._turn * self._scale + self._origin

    def grid_to_pixels(self) -> Points:
        """(2, 3) from the light's grid to pixels of the frame."""
        o, right, down = self.pixels(
            np.array([[u, v] for u, v in zip(GRID_U[[0, 1, 0]], GRID_V[[0, 0, 1]], strict=True)])
        )
        return np.stack([right - o, down - o, o], 1)

    def upright(self, uv: Points) -> Points:
        """(N, 2) of the body, which does not roll -> of the head."""
        return (uv + (self._body - self._origin) / self._scale) @ self._turn.T

    def fine(self, uv: Points) -> NDArray[np.int32]:
        """(N, 2) of the head -> OpenCV's fixed-point coordinates on the canvas."""
        pixels = self.pixels(uv) * _SUPER + (_SUPER - 1) / 2
        return np.rint(pixels * (1 << _SHIFT)).astype(np.int32)

    def fill(self, uv: Points, colour: ArrayLike, lit: bool = True) -> None:
        cv2.fillPoly(self.image, [self.fine(uv)], _paint(colour, lit), cv2.LINE_AA, _SHIFT)

    def line(self, uv: Points, colour: ArrayLike, width: float, lit: bool = True, closed: bool = False) -> None:
        thick = max(1, round(width * self._scale * _SUPER))
        cv2.polylines(self.image, [self.fine(uv)], closed, _paint(colour, lit), thick, cv2.LINE_AA, _SHIFT)

    def ellipse(
        self, uv: Points, axes: tuple[float, float], colour: ArrayLike, angle: float = 0, lit: bool = True
    ) -> None:
        """Axes are half lengths, the angle is in degrees to the head."""
        x, y = self.fine(uv[None])[0].tolist()
        a, b = (round(r * self._scale * _SUPER * (1 << _SHIFT)) for r in axes)
        turn = angle + float(np.degrees(self._roll))
        cv2.ellipse(self.image, (x, y), (a, b), turn, 0, 360, _paint(colour, lit), -1, cv2.LINE_AA, _SHIFT)


def _paint(colour: ArrayLike, lit: bool) -> tuple[float, float, float, float]:
    r, g, b = np.clip(colour, 0, 255).tolist()
    return r, g, b, 255.0 * lit


def _curve(points: Points, closed: bool = False, steps: int = 4) -> Points:
    """A Catmull-Rom curve through the points."""
    n = len(points)
    padded = points.take(range(-1, n + 2), 0, mode="wrap") if closed else points.take(range(-1, n + 1), 0, mode="clip")
    index = np.arange(n if closed else n - 1)[:, None] + np.arange(4)
    curve = (_catmull_rom(steps) @ padded[index]).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


@cache
def _catmull_rom(steps: int) -> Points:
    t = np.arange(steps)[:, None] / steps
    return np.concatenate([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2], 1) / 2


def _mirrored(left: Points) -> Points:
    """A left half, from its first point to its last, and the right half back."""
    return np.concatenate([left, (left * [-1, 1])[::-1]])


def _mix(a: ArrayLike, b: ArrayLike, share: float) -> Points:
    return np.asarray(a) * (1 - share) + np.asarray(b) * share


def _draw_body(canvas: _Canvas, person: Person) -> None:
    """Neck, shoulders, and the hair that hangs behind them."""
    skin, clothes = np.array(person.skin), np.array(person.clothes)
    if person.hair in ("long", "bob"):
        end, wide = (2.7 if person.hair == "long" else 1.3), 1.27 + 0.1 * person.volume
        left = [
            [-0.7, -0.9],
            [-1.1, -0.75],
            [-wide, -0.1],
            [-wide - 0.05, 0.5],
            [-wide, end - 0.25],
            [-wide + 0.3, end],
            [-0.5, end],
        ]
        canvas.fill(_curve(_mirrored(np.array(left)), closed=True), np.array(person.hair_colour) * 0.85)
    neck = _mirrored(np.array([[-0.6, 0.8], [-0.6, 1.85], [-0.85, 2.4]]))
    canvas.fill(canvas.upright(neck), skin * 0.84)
    shoulder = np.array([[-2.3, 3.8], [-2.15, 2.85], [-1.5, 2.4], [-0.72, 2.06], [-0.45, 2.32], [0, 2.44]])
    canvas.fill(canvas.upright(_curve(_mirrored(shoulder))), clothes, lit=False)
    canvas.line(canvas.upright(_curve(_mirrored(shoulder[3:]))), clothes * 0.78, 0.07, lit=False)


def _draw_head(canvas: _Canvas, person: Person, shape: Face) -> None:
    skin = np.array(person.skin)
    for side, ear in zip((-1, 1), shape.ears, strict=True):
        canvas.ellipse(ear, (0.13, 0.27), skin * 0.92, angle=8 * side)
        canvas.ellipse(ear + [0.02 * side, -0.01], (0.06, 0.16), skin * 0.74, angle=8 * side)
    canvas.fill(_curve(shape.outline, closed=True, steps=3), skin)


def _draw_eyes(canvas: _Canvas, person: Person, shape: Face) -> None:
    skin, dark = np.array(person.skin), _mix(person.hair_colour, (24, 18, 18), 0.6)
    brow_colour = (
        _mix(dark, person.hair_colour, 0.5)
        if sum(person.hair_colour) < 360
        else _mix(skin * 0.55, person.hair_colour, 0.3)
    )
    for side in (0, 1):
        six = shape.landmarks[36 + 6 * side : 42 + 6 * side]
        upper, lower = _curve(six[:4], steps=6), _curve(six[[3, 4, 5, 0]], steps=6)
        opening = float(lower[:, 1].max() - upper[:, 1].min())
        canvas.line(upper[2:-2] + [0, -0.05 - 0.1 * opening], skin * 0.76, 0.018)
        canvas.line(lower[3:-3] + [0, 0.06], skin * 0.9, 0.02)
        if opening > 0.02:
            _draw_eyeball(canvas, person, upper, lower, shape.irises[side])
        canvas.line(lower, skin * 0.66, 0.014)
        canvas.line(upper, dark, 0.03)
        brow, thick = shape.landmarks[17 + 5 * side : 22 + 5 * side], shape.brow_thickness[side][:, None] * [0, 1]
        canvas.fill(np.concatenate([_curve(brow - thick), _curve((brow + thick)[::-1])]), brow_colour)


def _draw_eyeball(canvas: _Canvas, person: Person, upper: Points, lower: Points, iris: Points) -> None:
    """White, iris and pupil, visible between the lids only."""
    edge = canvas.fine(np.concatenate([upper, lower]))
    reach = np.concatenate([edge, canvas.fine(iris + [[-0.13, -0.13], [0.13, -0.13], [0.13, 0.13], [-0.13, 0.13]])])
    low = np.maximum((reach.min(0) >> _SHIFT) - 3, 0)
    high = np.minimum((reach.max(0) >> _SHIFT) + 4, canvas.image.shape[1::-1])
    if not (high > low).all():
        return
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    before = canvas.image[window].astype(np.float32)
    inside = np.zeros(before.shape[:2], np.uint8)
    cv2.fillPoly(inside, [edge - (low << _SHIFT).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)
    colour = np.array(person.iris)
    canvas.image[window] = (226, 221, 216, 255)
    canvas.line(upper + [0, 0.025], (196, 186, 182), 0.05)
    canvas.ellipse(iris, (0.115, 0.115), colour * 0.55)
    canvas.ellipse(iris + [0, 0.015], (0.092, 0.09), colour * 1.1)
    canvas.ellipse(iris, (0.052, 0.052), (14, 12, 12))
    canvas.ellipse(iris + [0.035, -0.04], (0.024, 0.024), (252, 252, 252), lit=False)
    share = inside[..., None] * np.float32(1 / 255)
    canvas.image[window] = np.rint(before + share * (canvas.image[window] - before)).astype(np.uint8)


def _draw_mouth(canvas: _Canvas, person: Person, shape: Face) -> None:
    mouth, lips = shape.landmarks[48:], np.array(person.lips)
    upper, lower = _curve(mouth[:7]), _curve(mouth[[6, 7, 8, 9, 10, 11, 0]])
    top, bottom = _curve(mouth[[12, 13, 14, 15, 16]]), _curve(mouth[[12, 19, 18, 17, 16]])
    canvas.fill(np.concatenate([upper, lower]), lips)
    canvas.fill(np.concatenate([upper, top[::-1]]), lips * 0.88)
    gap = float((bottom - top)[:, 1].max())
    if gap > 0.03:
        canvas.fill(np.concatenate([top, bottom[::-1]]), (66, 24, 28))
        teeth = top + (bottom - top) * min(1.0, 0.085 / gap)
        canvas.fill(np.concatenate([top, teeth[::-1]]), (234, 228, 220))
    if gap > 0.16:
        tongue = top + (bottom - top) * 0.72
        canvas.fill(np.concatenate([tongue[4:-4], bottom[4:-4][::-1]]), (168, 84, 86))
    canvas.line(np.concatenate([mouth[:1], top, mouth[6:7]]), lips * 0.45, 0.02)
    for corner in mouth[[0, 6]]:
        canvas.ellipse(corner, (0.03, 0.022), lips * 0.6)


def _draw_nose(canvas: _Canvas, person: Person, shape: Face) -> None:
    skin, base = np.array(person.skin), shape.landmarks[31:36]
    for side, wing, inner in ((-1, base[0], base[1]), (1, base[4], base[3])):
        canvas.ellipse(inner + [0.01 * side, -0.012], (0.058, 0.028), skin * 0.42, angle=-14 * side)
        curve = np.array([wing + [-0.02 * side, -0.13], wing + [0.025 * side, -0.06], wing + [-0.01 * side, 0.01]])
        canvas.line(_curve(curve), skin * 0.78, 0.018)


_LIFT = {"cropped": 0.05, "parted": 0.1, "fringe": 0.1, "bob": 0.1, "long": 0.1, "curly": 0.14}


def _draw_hair(canvas: _Canvas, person: Person, shape: Face) -> None:
    """The hair in front of the head: from the skull, raised by the hair's volume, to the hairline."""
    if person.hair == "bald":
        return
    colour = np.array(person.hair_colour)
    lift = _LIFT[person.hair] + 0.06 * person.volume
    outer = _curve(shape.crown * [1 + 0.7 * lift, 1 + lift], steps=3)
    inner = _curve(shape.hairline, steps=3)
    canvas.fill(np.concatenate([inner[:1] + [[-0.03, 0.12]], outer, inner[-1:] + [[0.03, 0.12]], inner[::-1]]), colour)
    if person.hair == "curly":
        rim = outer[np.linspace(1, len(outer) - 2, 15).round().astype(int)]
        for k, point in enumerate(np.concatenate([rim, shape.hairline[3:-3] * [1, 1.16], rim[2:-2] * 0.82])):
            canvas.ellipse(point, (0.17, 0.17), colour * (0.94, 1.08, 1.0)[k % 3])
        return
    # strands, from the parting or straight back from the hairline
    parting = shape.crown[len(shape.crown) // 2] * 0.94 + [0.9 * person.parting, 0.06]
    swept = person.hair in ("parted", "long", "bob")
    for k in range(4, len(inner) - 4):
        root = outer[round(k / (len(inner) - 1) * (len(outer) - 1))] * 0.95
        if swept:
            root = _mix(root, parting, 0.8)
        tip = _mix(inner[k], root, (0.0, 0.15, 0.05, 0.25)[k % 4])
        bow = (root + tip) / 2 * [1.06, 1.0] + [0, -0.03]
        canvas.line(_curve(np.stack([root, bow, tip])), colour * (0.84, 1.2, 0.92, 1.1, 0.8)[k % 5], 0.018)


def _draw_glasses(canvas: _Canvas, shape: Face) -> None:
    frame = (112.0, 92.0, 70.0)
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.8 * 0.37, 0.05 + 0.28 * np.sin(turn)], 1)
    left, right = shape.landmarks[36:42].mean(0), shape.landmarks[42:48].mean(0)
    for centre in (left, right):
        canvas.line(centre + ring, frame, 0.02, closed=True)
    for a, b in (
        (left + [0.36, 0], right - [0.36, 0]),
        (left - [0.36, 0], shape.crown[0]),
        (right + [0.36, 0], shape.crown[-1]),
    ):
        canvas.line(np.stack([a, b]), frame, 0.02)


def _draw_hand(canvas: _Canvas, person: Person, light: Lamp, hand: tuple[float, float, float]) -> None:
    """The back of a hand and its sleeve, reaching up into the picture."""
    u, v, angle = hand
    skin = np.array(person.skin) * (light.ambient + 0.75 * light.colour)
    axis = np.array([np.sin(np.radians(angle)), -np.cos(np.radians(angle))])
    across = np.array([-axis[1], axis[0]])
    palm = np.array([u, v])
    arm = np.stack([palm - 0.2 * axis, palm - 2.5 * axis])
    canvas.line(arm, skin * 0.78, 0.46, lit=False)
    canvas.line(arm, skin * 0.92, 0.4, lit=False)
    canvas.line(arm - 0.7 * axis, np.array(person.clothes) * 0.9, 0.62, lit=False)
    canvas.ellipse(palm, (0.34, 0.38), skin * 0.78, angle=angle, lit=False)
    for k, reach in enumerate((0.6, 0.72, 0.68, 0.52)):
        root = palm + across * 0.18 * (k - 1.5)
        finger = np.stack([root, root + axis * reach])
        canvas.line(finger, skin * 0.76, 0.19, lit=False)
        canvas.line(finger, skin * (0.95 + 0.02 * k), 0.14, lit=False)
    canvas.ellipse(palm, (0.3, 0.34), skin * 0.95, angle=angle, lit=False)
