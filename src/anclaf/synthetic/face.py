"""Geometry of a drawn face at one moment: 3-D feature points, rotated and projected.

Head coordinates: x to the image's right, y down, z to the camera; the origin is the middle of the head at the height of
the eyes, the unit is the average distance between the eyes. Projected coordinates (u, v) are in the same unit, not yet
rolled.
The outline of the head keeps its width when it turns, while the features on its front move across it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anclaf.synthetic.affect import Moment
from anclaf.synthetic.person import Person

Points = NDArray[np.float64]

CAMERA = 10.0
"""Distance of the camera from the eyes."""

# right half of the head's outline from the ear down to the chin: height, half width, depth of the section's centre
_JAW = np.array(
    [
        [0.05, 1.16, 0.0],
        [0.36, 1.145, 0.04],
        [0.67, 1.075, 0.12],
        [0.97, 0.95, 0.25],
        [1.24, 0.775, 0.42],
        [1.47, 0.585, 0.60],
        [1.63, 0.4, 0.75],
        [1.72, 0.21, 0.85],
        [1.75, 0.0, 0.90],
    ]
)
# and from the ear up to the crown
_SKULL = np.array([[-0.3, 1.16], [-0.6, 1.1], [-0.88, 0.98], [-1.1, 0.8], [-1.27, 0.56], [-1.37, 0.3], [-1.4, 0.0]])


@dataclass(frozen=True)
class Face:
    """All in (u, v), left is the image's left.

    landmarks: (68, 2) iBUG. outline: (N, 2) closed, jaw and skull. crown: (M, 2) the skull from the left ear over the
    top to the right ear. hairline: (K, 2) from the left temple over the forehead to the right temple. ears, irises,
    cheeks: (2, 2) centres. brow_thickness: (2, 5) half the thickness at each brow's landmarks.
    """

    landmarks: Points
    outline: Points
    crown: Points
    hairline: Points
    ears: Points
    irises: Points
    brow_thickness: Points
    cheeks: Points


def face(person: Person, moment: Moment) -> Face:
    """Pose the features of one frame."""

    def project(points: Points) -> Points:
        return _project(points, moment.yaw, moment.pitch)

    jaw_half, skull_half = _outline(person, moment)

    def silhouette(half: Points) -> Points:
        """Sections (half width, height, depth), side to middle -> their outline from left to right."""
        middle = project(half * [0, 1, 1])
        return np.concatenate([middle - half[:, :1] * [1, 0], (middle + half[:, :1] * [1, 0])[-2::-1]])

    jaw, crown = silhouette(jaw_half), silhouette(skull_half)
    front = np.concatenate([_brows(person, moment), _nose(person), _eyes(person, moment), _mouth(person, moment)])
    landmarks = np.concatenate([jaw, project(front)])
    cheek_x, cheek_y = 0.64, 0.62 - 0.08 * moment.cheek
    cheeks = np.array([[s * cheek_x, cheek_y, float(_surface(cheek_x, cheek_y))] for s in (-1, 1)])
    ears = project(np.array([[0, 0.28, -0.12]])) + np.array([[-1.17, 0], [1.17, 0]]) * person.face_width
    irises = np.array([[s * person.eye_gap, 0.0, _EYE_DEPTH] for s in (-1, 1)])
    irises = irises + [0.085 * moment.gaze_x, 0.045 * moment.gaze_y, 0.0]
    taper = np.array([0.55, 0.85, 1.0, 1.0, 0.75])
    thickness = person.brow_thickness * np.stack([taper, taper[::-1]])
    return Face(
        landmarks=landmarks,
        outline=np.concatenate([jaw, crown[::-1][1:-1]]),
        crown=crown,
        hairline=project(_hairline(person)),
        ears=ears,
        irises=project(irises),
        brow_thickness=thickness,
        cheeks=project(cheeks),
    )


def _project(points: Points, yaw: float, pitch: float) -> Points:
    """(N, 3) head coordinates -> (N, 2); the plane of the eyes keeps its scale."""
    x, y, z = points.T
    x, z = x * np.cos(yaw) + z * np.sin(yaw), z * np.cos(yaw) - x * np.sin(yaw)
    y, z = y * np.cos(pitch) - z * np.sin(pitch), z * np.cos(pitch) + y * np.sin(pitch)
    scale = CAMERA / (CAMERA + _EYE_DEPTH - z)
    return np.stack([x * scale, y * scale], 1)


def _surface(x: float | Points, y: float | Points) -> Points:
    """Depth of the front of the head, an ellipsoid."""
    return 1.25 * np.sqrt(np.clip(1 - (np.asarray(x) / 1.32) ** 2 - ((np.asarray(y) - 0.2) / 2.3) ** 2, 0.02, 1))


_EYE_DEPTH = 1.08


def _outline(person: Person, moment: Moment) -> tuple[Points, Points]:
    """Sections (half width, height, depth): (9, 3) jaw from ear to chin, (8, 3) skull from ear to crown."""
    y, half, z = _JAW.T
    lower = np.clip((y - 0.5) / 1.2, 0, 1)
    half = half * person.face_width + person.jaw_width * np.sin(np.pi * np.clip((y - 0.4) / 1.35, 0, 1))
    jaw = np.stack([half, y + person.chin * lower + 0.26 * moment.jaw * lower**2, z], 1)
    y, half = _SKULL.T
    skull = np.stack([half * person.face_width, y, np.zeros(len(y))], 1)
    return jaw, np.concatenate([jaw[:1], skull])


def _mirror(left: Points) -> Points:
    """The other side, in iBUG's order, of a left side given from the outside inwards."""
    return (left * [-1, 1, 1])[::-1]


def _brows(person: Person, moment: Moment) -> Points:
    along = np.linspace(0, 1, 5)  # outer to inner
    x = -(person.eye_gap + 0.36 - 0.68 * along) + 0.05 * moment.brow_angry * along
    arch = np.sin(np.pi * (0.12 + 0.72 * along)) * 0.11
    y = -person.brow_height + 0.08 - arch + person.brow_tilt * (along - 0.5)
    y = y - 0.1 * moment.brow_raise + 0.11 * moment.brow_angry * along**1.5 + 0.03 * moment.brow_angry
    y = y - 0.13 * moment.brow_sad * along**2 + 0.05 * moment.brow_sad * (1 - along)
    left = np.stack([x, y, _surface(x, y) + 0.03], 1)
    return np.concatenate([left, _mirror(left)])


def _nose(person: Person) -> Points:
    tip, depth, wing = person.nose_length, person.nose_depth, person.nose_width
    bridge_y = np.linspace(-0.02, tip, 4)
    bridge_z = 1.2 + depth * np.array([0.05, 0.36, 0.72, 1.0])
    bridge = np.stack([np.zeros(4), bridge_y, bridge_z], 1)
    base_x = wing * np.array([-1, -0.52, 0, 0.52, 1])
    base_y = tip + np.array([0.09, 0.13, 0.155, 0.13, 0.09])
    base_z = 1.2 + depth * np.array([0.22, 0.45, 0.6, 0.45, 0.22])
    return np.concatenate([bridge, np.stack([base_x, base_y, base_z], 1)])


def _eyes(person: Person, moment: Moment) -> Points:
    w, h = person.eye_width, person.eye_height
    cheek = 0.35 * moment.cheek
    x = person.eye_gap * -1 + w * np.array([-1, -0.4, 0.4, 1, 0.4, -0.4])
    # the upper lid meets the lower a little below the corners' line
    low = 0.62 * h * (1 - cheek)
    top = low - 1.55 * h * moment.lid
    y = np.array([-person.eye_tilt, top, top, person.eye_tilt, low, low])
    z = _EYE_DEPTH + np.array([-0.12, 0.03, 0.05, -0.02, 0.05, 0.03])
    left = np.stack([x, y, z], 1)
    right = (left * [-1, 1, 1])[[3, 2, 1, 0, 5, 4]]
    return np.concatenate([left, right])


def _mouth(person: Person, moment: Moment) -> Points:
    """Outer lips 48-59, inner lips 60-67."""
    smile, frown, jaw, pucker = moment.smile, moment.frown, moment.jaw, moment.pucker
    half = person.mouth_width * (1 + 0.26 * smile - 0.04 * frown - 0.32 * pucker - 0.1 * jaw)
    y0 = person.mouth_height
    corner_y = y0 - 0.13 * smile + 0.12 * frown + 0.06 * jaw
    skew = person.asymmetry * (smile - frown) * 0.12
    upper, lower = (
        person.lip_upper * (1 - 0.25 * smile + 0.15 * pucker),
        person.lip_lower * (1 - 0.1 * smile + 0.1 * pucker),
    )
    gap_up, gap_low = 0.02 * jaw + 0.045 * max(smile - 0.35, 0), 0.34 * jaw + 0.09 * max(smile - 0.35, 0)
    rise = 0.03 * smile

    def row(share: Points, middle: float, bow: float, corner: float) -> Points:
        """Points at these shares of the half width; a parabola from the corners' height to the middle's."""
        bend = np.abs(share) ** bow
        y = middle * (1 - bend) + (corner_y + corner) * bend + skew * share
        x = half * share
        return np.stack([x, y, _surface(x, y) + 0.1 * (1 - share**2) + 0.06 * pucker], 1)

    top = row(np.array([-1, -0.62, -0.24, 0, 0.24, 0.62, 1.0]), y0 - upper - gap_up + rise, 1.8, 0)
    top[[2, 4], 1] -= 0.014
    top[3, 1] += 0.012
    bottom = row(np.array([0.66, 0.3, 0, -0.3, -0.66]), y0 + lower + gap_low + rise, 2.2, 0)
    inner_top = row(np.array([-0.84, -0.38, 0, 0.38, 0.84]), y0 - gap_up + rise, 1.8, 0.0)
    inner_low = row(np.array([0.38, 0, -0.38]), y0 + gap_low + 0.012 + rise, 2.2, 0.0)
    return np.concatenate([top, bottom, inner_top, inner_low])


def _hairline(person: Person) -> Points:
    """From the left temple over the forehead to the right temple."""
    share = np.array([-1.0, -0.96, -0.86, -0.7, -0.45, -0.2, 0, 0.2, 0.45, 0.7, 0.86, 0.96, 1.0])
    line = -person.hairline
    y = np.interp(np.abs(share), [0, 0.45, 0.7, 0.86, 0.96, 1.0], [line, line + 0.02, line + 0.16, -0.4, -0.12, 0.08])
    if person.hair == "fringe":
        y = np.interp(np.abs(share), [0, 0.5, 0.8, 0.9, 1.0], [-0.52, -0.5, -0.42, -0.1, 0.2])
    elif person.hair in ("parted", "long", "bob"):
        away = np.abs(share - person.parting)
        y = np.maximum(y, np.interp(away, [0, 0.3, 0.9, 1.6], [line - 0.1, line + 0.02, -0.56, -0.1]))
    x = share * 1.14 * person.face_width
    return np.stack([x, y, _surface(x, y) + 0.02], 1)
