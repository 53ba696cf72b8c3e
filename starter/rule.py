"""What a face's muscles say of valence and arousal: the one table from which all labels follow.

Change a number here and render again, and the starter model learns another opinion. Action units (AU) are those of the
Facial Action Coding System, in parts of their full strength and less the person's own rest.

Sources. Haines et al. 2019 (PLoS ONE 14, e0211735; 4,648 clips of 125 people, rated by three): correlation of 20 AUs
with positive and negative affect, and that 4, 6, 9 and 10 are negative only where nobody smiles. Larsen et al. 2003:
the corrugator (AU 4) follows valence in both directions around rest. Russell 1980: where emotions lie on the circle.
Sato and Yoshikawa 2007: motion raises the arousal that is seen, not the valence. EMFACS's sets for posed emotions.
AU 15, 16, 20, 24 and the asymmetric 12 and 14 are weighted by those sets, since spontaneous clips hardly show them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNITS: dict[int, tuple[str, ...]] = {
    1: ("browInnerUp",),
    2: ("browOuterUp",),
    4: ("browDown",),
    5: ("eyeWide",),
    6: ("cheekSquint",),
    7: ("eyeSquint",),
    9: ("noseSneer",),
    10: ("mouthUpperUp",),
    12: ("mouthSmile",),
    14: ("mouthDimple",),
    15: ("mouthFrown",),
    16: ("mouthLowerDown",),
    17: ("mouthShrugLower",),
    18: ("mouthPucker",),
    20: ("mouthStretch",),
    22: ("mouthFunnel",),
    24: ("mouthPress",),
    26: ("jawOpen",),
    28: ("mouthRollLower", "mouthRollUpper"),
    43: ("eyeBlink",),
}
"""AU -> the expression shapes of which it is the mean, by ARKit's names without a side."""


@dataclass(frozen=True)
class Weight:
    """What a fully active AU adds. calm: to valence where nobody smiles; smiling: where somebody does; arousal."""

    calm: float
    smiling: float
    arousal: float


TABLE: dict[int, Weight] = {
    # AU        no smile  smile  arousal
    1: Weight(-0.10, 0.00, 0.15),
    2: Weight(0.15, 0.05, 0.25),
    4: Weight(-0.75, -0.10, 0.30),
    5: Weight(-0.05, 0.00, 0.45),
    6: Weight(-0.12, 0.22, 0.12),
    7: Weight(-0.12, 0.00, 0.12),
    9: Weight(-0.55, -0.10, 0.25),
    10: Weight(-0.40, 0.00, 0.25),
    12: Weight(0.85, 0.85, 0.30),
    14: Weight(0.05, 0.05, 0.05),
    15: Weight(-0.75, -0.35, -0.05),
    16: Weight(-0.20, 0.05, 0.10),
    17: Weight(-0.25, -0.25, 0.05),
    18: Weight(-0.10, -0.15, -0.10),
    20: Weight(-0.20, 0.00, 0.30),
    22: Weight(0.00, 0.00, 0.10),
    24: Weight(-0.25, -0.15, 0.10),
    25: Weight(0.03, 0.20, 0.20),
    26: Weight(0.05, 0.05, 0.45),
    28: Weight(-0.05, -0.05, 0.05),
    43: Weight(-0.15, -0.05, -0.55),
}

SMILE = (0.12, 0.40)
"""AU 12 from which the gate between the two columns opens, and where it is open."""
SAD_BROW = Weight(-0.30, -0.05, -0.20)
"""AU 1 without AU 2 or 5."""
ONE_SIDED = Weight(-0.60, -0.25, 0.0)
"""Of the difference between the sides of AU 12 and 14, whichever is larger: contempt."""
CALM_AROUSAL = -0.35
"""Of a resting, motionless face."""
MOTION_AROUSAL = 0.45
"""Most that motion adds."""
MOTION_SCALE = (5.0, 1.2)
"""Speeds that add 63 % of it: of the muscles (root of the sum of squares, full strengths a second), of the head
(radians a second). They add up."""
MOTION_S = 0.24
"""Over which motion is averaged, before and after a frame."""


def action_units(weights: NDArray, names: Sequence[str]) -> dict[int, NDArray[np.float64]]:
    """(T, E) weights of expression shapes -> AU -> (T, 2) its strength on the right and on the left of the face.

    AU 25, parted lips, follows from the shapes that part them.
    """
    column = {name: np.asarray(weights[:, i], np.float64) for i, name in enumerate(names)}

    def sides(stem: str) -> NDArray[np.float64]:
        if stem in column:
            return np.stack([column[stem]] * 2, 1)
        return np.stack([column[f"{stem}_R"], column[f"{stem}_L"]], 1)

    units = {unit: np.mean([sides(stem) for stem in stems], 0) for unit, stems in UNITS.items()}
    closed = sides("mouthClose") + 0.5 * units[24] + 0.5 * units[28]
    parted = 1.6 * units[26] + 0.6 * units[10] + 0.6 * units[16] + 0.4 * units[22] + 0.15 * units[12]
    units[25] = np.clip(parted - closed, 0, 1)
    return units


def affect(
    weights: NDArray, rest: NDArray, names: Sequence[str], head_speed: NDArray, fps: float
) -> NDArray[np.float64]:
    """(T, 2) valence and arousal in (-1, 1).

    Args:
        weights: (T, E) of the expression shapes, blinks left out: whoever blinks does not close the eyes (AU 43).
        rest: (E,) of this person's resting face.
        names: of the shapes.
        head_speed: (T,) radians a second.
    """
    now, still = action_units(weights, names), action_units(rest[None], names)
    sides = {unit: now[unit] - still[unit] for unit in now}
    unit = {name: value.mean(1) for name, value in sides.items()}
    # a muscle that relaxes below its rest says less than one that tightens; AU 4 says as much (Larsen 2003)
    strength = {name: np.where(value < 0, value * (1.0 if name == 4 else 0.5), value) for name, value in unit.items()}
    low, high = SMILE
    ramp = np.clip((unit[12] - low) / (high - low), 0, 1)
    gate = ramp * ramp * (3 - 2 * ramp)
    sad = np.maximum(unit[1], 0) * np.clip(1 - np.maximum(unit[2], 0) - np.maximum(unit[5], 0), 0, 1)
    one_sided = np.maximum(*(np.abs(sides[name][:, 0] - sides[name][:, 1]) for name in (12, 14)))
    terms = [(TABLE[name], strength[name]) for name in TABLE] + [(SAD_BROW, sad), (ONE_SIDED, one_sided)]
    valence = np.sum([(w.calm + gate * (w.smiling - w.calm)) * x for w, x in terms], 0)
    arousal = CALM_AROUSAL + np.sum([w.arousal * x for w, x in terms], 0)
    muscles = np.sqrt(np.sum([_speed(value, fps) ** 2 for name, value in unit.items() if name not in (25, 43)], 0))
    motion = _smooth(muscles / MOTION_SCALE[0] + np.asarray(head_speed) / MOTION_SCALE[1], MOTION_S * fps)
    arousal = arousal + MOTION_AROUSAL * (1 - np.exp(-motion))
    return np.stack([_bounded(valence), _bounded(arousal)], 1)


def _speed(values: NDArray[np.float64], fps: float) -> NDArray[np.float64]:
    return np.abs(np.gradient(values)) * fps if len(values) > 1 else np.zeros(1)


def _smooth(values: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Running mean over 2 reach + 1 frames, fewer at the ends."""
    half = max(1, round(reach))
    ones = np.ones(2 * half + 1)
    return np.convolve(values, ones, "full")[half:-half] / np.convolve(np.ones(len(values)), ones, "full")[half:-half]


def _bounded(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nearly the same up to a half, never beyond 1."""
    return value / (1 + np.abs(value) ** 4) ** 0.25
