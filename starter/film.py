"""A clip: a person, what they wear, a place, a camera; then frame by frame the aligned crop, and its landmarks."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anclaf.corpora.base import Column
from anclaf.faces import align
from starter import raster
from starter.lens import Lens, develop, draw_lens
from starter.light import BACKDROP, Light, draw_backdrop, draw_light
from starter.makehuman import draw_brows, draw_fedora, draw_hair_style, find_styles
from starter.paint import IRIS, Complexion, Paint, draw_complexion, draw_paint, fold_depths
from starter.perform import Performance
from starter.rig import Part, Points, Rig
from starter.shape import draw_shape
from starter.wardrobe import Piece, draw_glasses, draw_hair, draw_hand, draw_hat, eyeballs, measure_skull

_GLOSS = np.array([0.05, 0.06, 0.10, 0.16, 0.0, 0.9, 0.05, 0.005, 0.25, 0.03], np.float32)
_IRIS = 0.47
"""Sine of the angle between the iris's edge and the gaze."""
_SUPER = 2
_DETECTOR = np.array([[0, 0], [0, 0], [0, 0.45], [0, -0.5], [0, -0.5]])
"""(5, 2) cm, y down, from the iBUG landmarks' five points to those that YuNet finds on rendered faces."""
_SHUT = 0.04
"""Where the lips are less than this farther from each other than at rest, in cm, teeth and gums are not drawn."""
_SHADOWS = 4
"""Frames after which shadows are found anew."""


@dataclass(frozen=True)
class Person:
    """Who is filmed. head: (V, 3) cm at rest, before the resting face. eyes: (2, 12) as `raster.shade` takes them.
    hair: of head and brows, where it is not painted."""

    head: Points
    look: Complexion
    paint: Paint
    eyes: NDArray[np.float32]
    hair: list[Piece]


@dataclass(frozen=True)
class Shot:
    """What a clip has besides its person and what they do.

    pieces, lenses: what is worn or held. tint: (4,) colour and opacity of the lenses. distance: of the camera in cm.
    base: (3,) pitch, yaw, roll in radians. scale: pixels of the picture in a cm at the head. middle: (2,) cm of the
    head from the middle of the picture. error: (5, 2) cm by which the detector's five points are off; shake: cm by
    which they are off from frame to frame. cut: (4,) how far the picture reaches from the crop's middle to the left,
    top, right and bottom, in sides of the crop. clothes: (3,) colour.
    """

    light: Light
    backdrop: NDArray[np.float32]
    lens: Lens
    pieces: list[Piece]
    lenses: list[Piece]
    tint: NDArray[np.float64]
    distance: float
    base: NDArray[np.float64]
    scale: float
    middle: NDArray[np.float64]
    error: NDArray[np.float64]
    shake: float
    cut: NDArray[np.float64]
    clothes: NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """image: (S, S, 3) uint8 RGB. landmarks: (68, 2) pixels of the picture. matrix: (2, 3) the picture -> the crop."""

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float64]
    matrix: NDArray[np.float64]


def draw_person(rng: np.random.Generator, rig: Rig, assets: Path, without: Collection[str] = ()) -> Person:
    """A person, by a generator of their own; with `shape`, `skin` or `hair` of `without.PARTS` held still."""
    head, look, brush = draw_shape(rng, rig), draw_complexion(rng), rng
    if "shape" in without:
        head = rig.neutral.astype(np.float32)
    if "skin" in without:
        brush = np.random.default_rng(0)
        look = draw_complexion(brush)
    styles = find_styles(rig, assets)
    brows = draw_brows(rng, rig, head, look, styles) if styles.brows and rng.random() < 0.5 else []
    paint = draw_paint(brush, rig, look, brows=not brows)
    iris = _iris(rng, look.melanin)
    white = np.array([0.44, 0.40, 0.37]) * rng.uniform(0.7, 1.15) * np.exp(rng.normal(0, [0, 0.04, 0.05]))
    eye = np.concatenate([[0, 0, 1], iris, white, [_IRIS * rng.uniform(0.94, 1.08), 0.2, rng.uniform(0.5, 0.85)]])
    skull = measure_skull(rig, head)
    styled = styles.hair and rng.random() < 0.5
    hair = draw_hair_style(rng, rig, head, look, styles) if styled else draw_hair(rng, rig, head, skull, look)
    if "hair" in without:
        hair = []
    return Person(head, look, paint, np.tile(eye, (2, 1)).astype(np.float32), hair + brows)


def _iris(rng: np.random.Generator, melanin: float) -> NDArray[np.float64]:
    odds = np.array([0.42, 0.2, 0.12, 0.08, 0.12, 0.06])
    if melanin > 0.4:
        odds = odds * [3, 2, 0.4, 0.1, 0.05, 0.05]
    return IRIS[rng.choice(len(IRIS), p=odds / odds.sum())] * np.exp(rng.normal(0, 0.2))


def draw_shot(rng: np.random.Generator, rig: Rig, person: Person, assets: Path, size: int) -> Shot:
    """What a clip has besides its person and what they do."""
    light, picture = draw_light(rng, assets)
    pieces, lenses, tint = list(person.hair), list[Piece](), np.zeros(4)
    if rng.random() < 0.10:
        styles = find_styles(rig, assets)
        if styles.hats and rng.random() < 0.3:
            pieces += draw_fedora(rng, rig, person.head, styles)
        else:
            pieces += draw_hat(rng, rig, person.head, measure_skull(rig, person.head))
    if rng.random() < 0.22:
        frames, lenses, tint = draw_glasses(rng, rig, person.head)
        pieces += frames
    if rng.random() < 0.08:
        pieces += draw_hand(rng, rig, person.head, person.look.skin)
    wide = rng.random() < 0.35
    yaw = rng.uniform(-0.8, 0.8) if wide else rng.normal(0, 0.22)
    base = np.array([rng.normal(0.0, 0.16 if wide else 0.10), yaw, rng.normal(0, 0.12)])
    error = rng.normal(0, 0.10, (5, 2)) + rng.normal(0, 0.06, 2) + rng.uniform(0, 1.2) * _DETECTOR
    if rng.random() < 0.12:
        error = error * rng.uniform(2, 4) + rng.normal(0, 0.3, 2)
    cut = np.full(4, 99.0)
    if rng.random() < 0.22:  # the crop reaches over the picture's edge
        cut[rng.choice(4, rng.integers(1, 4), replace=False)] = rng.uniform(0.35, 0.55)
    return Shot(
        light=light,
        backdrop=draw_backdrop(rng, picture),
        lens=draw_lens(rng, size),
        pieces=pieces,
        lenses=lenses,
        tint=tint,
        distance=float(np.exp(rng.uniform(np.log(38), np.log(260)))),
        base=base,
        scale=float(np.exp(rng.uniform(np.log(4), np.log(16)))),
        middle=rng.normal(0, 2, 2),
        error=error,
        shake=float(rng.beta(1, 4) * 0.06),
        cut=cut,
        clothes=np.clip(rng.beta(0.7, 1.3) * np.exp(rng.normal(0, 0.3, 3)), 0.005, 0.9),
    )


def describe(person: Person, shot: Shot) -> dict[str, Column]:
    """What a model may do better or worse by. melanin: 0 lightest skin, 1 darkest. age: 0 young, 1 old. turned: degrees
    from the camera, the head at rest. pixels: side at which the face was recorded. exposure: of the face, in linear
    light. lamp: strength of the one that casts shadows."""
    worn = {piece.part for piece in shot.pieces}
    pitch, yaw, _ = shot.base
    return {
        "melanin": round(person.look.melanin, 3),
        "age": round(person.look.age, 3),
        "turned": round(float(np.degrees(np.arccos(np.cos(pitch) * np.cos(yaw)))), 1),
        "pixels": shot.lens.resolution,
        "exposure": round(float(shot.lens.exposure), 3),
        "lamp": round(float(shot.light.colour.max()), 3),
        "grey": "yes" if shot.lens.grey else "no",
        "glasses": "yes" if shot.lenses else "no",
        "hand": "yes" if Part.HAND in worn else "no",
        "hat": "yes" if Part.CLOTH in worn else "no",
    }


class _Mesh:
    """The person's head and all pieces as one mesh."""

    def __init__(self, rig: Rig, person: Person, pieces: list[Piece]):
        whole = [*eyeballs(rig, person.head), *pieces]
        self.own = len(person.head)
        points, triangles = [person.head], [rig.triangles]
        albedo, parts = [person.paint.albedo], [rig.parts]
        thin = [np.isin(rig.parts[rig.triangles[:, 0]], [Part.LASH]).astype(np.uint8)]
        seen = rig.occlusion ** np.float32(1.4)
        # what is known of the closed mouth says nothing of the open one
        for part, share in ((Part.TOOTH, 0.6), (Part.GUM, 0.5), (Part.MOUTH, 0.4)):
            seen[rig.parts == part] = share
        open_ = [seen]
        start = self.own
        self.followers: list[tuple[slice, Points, NDArray[np.int32], NDArray[np.float64]]] = []
        for piece in whole:
            count = len(piece.points)
            if piece.follows is not None:
                self.followers.append((slice(start, start + count), piece.points, *piece.follows))
            points.append(piece.points)
            triangles.append(piece.triangles + np.int32(start))
            albedo.append(piece.albedo)
            parts.append(np.full(count, piece.part, np.uint8))
            thin.append(np.full(len(piece.triangles), piece.thin, np.uint8))
            eye = piece.part == Part.EYE
            open_.append(np.full(count, 1.0 + piece.side if eye else 0.85, np.float32))
            start += count
        self.points = np.concatenate(points)
        self.triangles = np.ascontiguousarray(np.concatenate(triangles))
        self.albedo = np.concatenate(albedo).astype(np.float32)
        self.parts, self.thin = np.concatenate(parts), np.concatenate(thin)
        self.open = np.concatenate(open_).astype(np.float32)
        solid = ~np.isin(self.parts[self.triangles[:, 0]], [Part.EYE, Part.LASH, Part.MOUTH, Part.GUM, Part.TOOTH])
        inner = np.isin(self.parts[self.triangles[:, 0]], [Part.GUM, Part.TOOTH])
        self.shut = np.ascontiguousarray(self.triangles[~inner]), self.thin[~inner]
        self.casting = np.ascontiguousarray(self.triangles[solid])


def rotation(pitch: float, yaw: float, roll: float) -> NDArray[np.float64]:
    """(3, 3): roll after yaw after pitch; positive turns the face down, to the image's right, and anticlockwise."""
    (cp, cy, cr), (sp, sy, sr) = np.cos([pitch, yaw, roll]), np.sin([pitch, yaw, roll])
    return (
        np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        @ np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    )


def film(
    rng: np.random.Generator, rig: Rig, person: Person, shot: Shot, act: Performance, size: int
) -> Iterator[Frame]:
    """Each frame of the clip; `rng` draws its noise."""
    mesh = _Mesh(rig, person, shot.pieces)
    starts, vertices, moves = rig.sparse_shapes
    depths = fold_depths(act.weights, rig.names, person.look.age)
    centre = person.head[rig.landmarks[27:36]].mean(0).astype(np.float64) * [0, 1, 1] - [0, 0, 9]
    side = size * _SUPER
    canvas = np.empty((side, side, 3), np.float32)
    albedo, lit = np.empty_like(mesh.albedo), np.zeros(len(mesh.points), np.float32)
    shut = _gap(person.head[rig.landmarks]) + _SHUT
    gain, before = None, None
    for t in range(len(act.weights)):
        points = mesh.points
        raster.blend(person.head, starts, vertices, moves, act.weights[t], points[: mesh.own])
        for where, rest, corners, weights in mesh.followers:
            points[where] = rest + np.einsum("nk,nkd->nd", weights, points[corners] - person.head[corners])
        raster.darken(mesh.albedo, person.paint.front, person.paint.folds, depths[t], albedo)
        turn = rotation(*(shot.base + act.turn[t]))
        camera = turn.astype(np.float32), centre.astype(np.float32), shot.distance
        marks = np.ascontiguousarray(points[rig.landmarks])
        triangles, thin = (mesh.triangles, mesh.thin) if _gap(marks) > shut else mesh.shut
        normal = raster.normals(points, triangles)
        seen = np.empty((68, 3), np.float32)
        raster.project(marks, *camera, np.eye(2, 3, dtype=np.float32), seen)
        shift = shot.middle + act.shift[t, :2] * [1, -1]
        zoom = shot.scale * np.exp(act.shift[t, 2] / shot.distance)
        landmarks = (seen[:, :2].astype(np.float64) + shift) * zoom
        five = align.five_points(landmarks) + zoom * (shot.error + rng.normal(0, shot.shake, (5, 2)))
        matrix = align.crop_matrix(five, size)
        to_canvas = matrix.copy() * _SUPER
        to_canvas[:, 2] += to_canvas[:, :2] @ (shift * zoom)
        to_canvas[:, :2] *= zoom
        pixels = np.empty_like(points)
        raster.project(
            points,
            turn.astype(np.float32),
            centre.astype(np.float32),
            shot.distance,
            to_canvas.astype(np.float32),
            pixels,
        )
        _draw_behind(canvas, shot, matrix * _SUPER, landmarks, zoom)
        lamp = (turn.T @ shot.light.lamp).astype(np.float32)
        if t % _SHADOWS == 0 and shot.light.colour.any():
            lit = raster.visibility(points, mesh.casting, lamp, np.float32(0.7))
        depth, skin = _draw_head(
            canvas, mesh, triangles, thin, person, shot, act.gaze[t], normal, albedo, lit, pixels, turn, lamp
        )  # fmt: skip
        if gain is None:
            bright = max(float(canvas[skin][:, 1].mean()), 1e-4) if skin.any() else 0.2
            gain = shot.lens.exposure * (bright / 0.2) ** 0.25 / bright
        if shot.lenses:
            _draw_lenses(canvas, shot, camera, to_canvas, depth)
        streak = np.zeros(2)
        if before is not None:
            streak = shot.lens.shutter * matrix[:, :2] @ (landmarks[27:36].mean(0) - before)
        before = landmarks[27:36].mean(0)
        image = develop(rng, canvas, shot.lens, gain, streak)
        yield Frame(_cut(image, shot.cut, matrix), landmarks, matrix)


def _gap(marks: NDArray) -> float:
    """cm between the lips at most."""
    return float(np.linalg.norm(marks[[61, 62, 63]] - marks[[67, 66, 65]], axis=1).max())


def _draw_behind(canvas: NDArray, shot: Shot, matrix: NDArray, landmarks: NDArray, zoom: float) -> None:
    """The backdrop, which stays where it is in the picture, and the shoulders."""
    reach = 44.0 * shot.scale / BACKDROP
    place = matrix.copy()
    place[:, 2] += place[:, :2] @ np.full(2, -BACKDROP / 2 * reach)
    place[:, :2] *= reach
    canvas[:] = cv2.warpAffine(
        shot.backdrop, place, canvas.shape[:2], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    chin = landmarks[8] + zoom * np.array([0, 9.0])
    at = matrix[:, :2] @ chin + matrix[:, 2]
    wide = np.sqrt(abs(np.linalg.det(matrix[:, :2]))) * zoom
    axes = (int(20 * wide), int(7 * wide))
    cv2.ellipse(canvas, (int(at[0]), int(at[1])), axes, 0, 0, 360, (0.5 * shot.clothes).tolist(), -1)


def _draw_head(
    canvas: NDArray, mesh: _Mesh, triangles: NDArray, thin: NDArray, person: Person, shot: Shot,
    gaze: NDArray, normal: Points, albedo: Points, lit: NDArray, pixels: Points, turn: NDArray, lamp: NDArray,
) -> tuple[NDArray, NDArray[np.bool_]]:  # fmt: skip
    """Draw onto the canvas; returns the depth of each pixel, and where there is skin."""
    side = len(canvas)
    index = np.full((side, side), -1, np.int32)
    bary = np.empty((side, side, 2), np.float32)
    depth = np.full((side, side), -1e9, np.float32)
    raster.rasterise(pixels, triangles, thin, index, bary, depth)
    view = (turn.T @ [0, 0, 1]).astype(np.float32)
    eyes = person.eyes.copy()
    x, y = gaze
    eyes[:, :3] = np.sin(x) * np.cos(y), np.sin(y), np.cos(x) * np.cos(y)
    gloss = _GLOSS.copy()
    gloss[Part.SKIN] = person.look.gloss
    raster.shade(
        index, bary, triangles, mesh.parts, albedo, normal, lit, mesh.open, _turned(shot.light.sh, turn), lamp,
        shot.light.colour, view, gloss, eyes, canvas,
    )  # fmt: skip
    return depth, (index >= 0) & (mesh.parts[triangles[index, 0]] == Part.SKIN)


def _turned(sh: NDArray, turn: NDArray) -> NDArray[np.float32]:
    """(9, 3) factors for directions in the head's coordinates, of those in the camera's."""
    linear = sh[[3, 1, 2]]  # x, y, z
    square = np.zeros((3, 3, 3))  # direction' Q direction, for each colour
    square[0, 1] = square[1, 0] = sh[4] / 2
    square[1, 2] = square[2, 1] = sh[5] / 2
    square[0, 2] = square[2, 0] = sh[7] / 2
    square[0, 0], square[1, 1], square[2, 2] = sh[8] - sh[6], -sh[8] - sh[6], 2 * sh[6]
    x, y, z = turn.T @ linear
    q = np.einsum("ia,ijc,jb->abc", turn, square, turn)
    out = [sh[0], y, z, x, 2 * q[0, 1], 2 * q[1, 2], q[2, 2] / 2, 2 * q[0, 2], (q[0, 0] - q[1, 1]) / 2]
    return np.stack(out).astype(np.float32)


def _draw_lenses(
    canvas: NDArray, shot: Shot, camera: tuple[NDArray, NDArray, float], matrix: NDArray, depth: NDArray
) -> None:
    """Glass over what is drawn already."""
    side = len(canvas)
    for piece in shot.lenses:
        pixels = np.empty_like(piece.points)
        raster.project(piece.points, *camera, matrix.astype(np.float32), pixels)
        index = np.full((side, side), -1, np.int32)
        bary = np.empty((side, side, 2), np.float32)
        raster.rasterise(pixels, piece.triangles, np.ones(len(piece.triangles), np.uint8), index, bary, depth)
        over = index >= 0
        canvas[over] += shot.tint[3] * (shot.tint[:3].astype(np.float32) - canvas[over])


def _cut(image: NDArray[np.uint8], cut: NDArray, matrix: NDArray) -> NDArray[np.uint8]:
    """Black where the crop lies outside the picture, as a warp leaves it."""
    if (cut > 1).all():
        return image
    size = len(image)
    axis = matrix[0, :2] / np.hypot(*matrix[0, :2])
    y, x = np.mgrid[:size, :size]
    x, y = (x + 0.5) / size - 0.5, (y + 0.5) / size - 0.5
    along, across = x * axis[0] + y * axis[1], y * axis[0] - x * axis[1]
    outside = (-along > cut[0]) | (-across > cut[1]) | (along > cut[2]) | (across > cut[3])
    image[outside] = 0
    return image
