"""A drawn person: invented proportions, colours, hair, and habits of expression."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

RGB = tuple[float, float, float]
Hair = Literal["cropped", "parted", "fringe", "bob", "long", "curly", "bald"]

_SKIN = np.array(
    [[248, 216, 194], [236, 192, 160], [214, 164, 126], [180, 126, 90], [142, 96, 70], [114, 78, 58]], float
)
_HAIR = np.array([[32, 26, 26], [58, 40, 32], [96, 64, 42], [134, 78, 46], [196, 154, 96], [148, 144, 142]], float)
_IRIS = np.array([[78, 50, 30], [96, 68, 38], [84, 108, 74], [78, 112, 146], [104, 118, 124]], float)
_CLOTHES = np.array([[52, 78, 120], [126, 56, 60], [70, 104, 84], [204, 196, 180], [60, 60, 68], [176, 138, 70]], float)
_STYLES: tuple[Hair, ...] = ("cropped", "parted", "fringe", "bob", "long", "curly", "bald")


@dataclass(frozen=True)
class Person:
    """One identity. Lengths are in units of the mean distance between the eyes, colours RGB from 0 to 255.

    Habits: `rest_*` is the resting face that is added to every expression (so that one frame of an unknown person is
    ambiguous), `gain` scales the effect of valence on the face, `anger` makes displeasure look sad (< 0) or angry
    (> 0), `talk` is the part of the time spent talking, `fidget` scales the pace of head movements, `asymmetry` lifts
    one corner of the mouth.
    """

    # proportions
    face_width: float
    jaw_width: float
    chin: float
    eye_gap: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    brow_height: float
    brow_thickness: float
    brow_tilt: float
    nose_length: float
    nose_width: float
    nose_depth: float
    mouth_height: float
    mouth_width: float
    lip_upper: float
    lip_lower: float
    cheek: float
    # colours and hair
    skin: RGB
    lips: RGB
    hair_colour: RGB
    iris: RGB
    clothes: RGB
    hair: Hair
    volume: float
    hairline: float
    parting: float
    beard: float
    glasses: bool
    # habits
    rest_mouth: float
    rest_brow: float
    rest_lid: float
    rest_jaw: float
    gain: float
    anger: float
    talk: float
    fidget: float
    asymmetry: float


def person(seed: int, index: int) -> Person:
    """The person of this number in the corpus of this seed, independent of all others."""
    rng = np.random.default_rng((seed, 1, index))

    def around(middle: float, spread: float) -> float:
        """Normal, clipped at two standard deviations."""
        return float(middle + spread * np.clip(rng.normal(), -2, 2))

    tone = rng.uniform(0, len(_SKIN) - 1)
    skin = _between(_SKIN, tone) * rng.uniform(0.97, 1.03, 3)
    darkest = 3 if tone > 2.6 else len(_HAIR)
    hair = _between(_HAIR[:darkest], rng.uniform(0, darkest - 1)) * rng.uniform(0.85, 1.1)
    style = _STYLES[rng.choice(len(_STYLES), p=[0.2, 0.2, 0.14, 0.14, 0.16, 0.1, 0.06])]
    bearded = style not in ("bob", "long", "fringe") and rng.random() < 0.4
    return Person(
        face_width=around(1.0, 0.035),
        jaw_width=around(0.0, 0.045),
        chin=around(-0.05, 0.05),
        eye_gap=around(0.5, 0.017),
        eye_width=around(0.255, 0.012),
        eye_height=around(0.104, 0.01),
        eye_tilt=around(0.012, 0.012),
        brow_height=around(0.29, 0.02),
        brow_thickness=around(0.05, 0.011),
        brow_tilt=around(0.0, 0.02),
        nose_length=around(0.53, 0.03),
        nose_width=around(0.215, 0.022),
        nose_depth=around(0.38, 0.04),
        mouth_height=around(0.99, 0.03),
        mouth_width=around(0.42, 0.025),
        lip_upper=around(0.075, 0.014),
        lip_lower=around(0.1, 0.016),
        cheek=around(0.06, 0.02),
        skin=_rgb(skin),
        lips=_rgb(skin * [0.84, 0.6, 0.6] + rng.uniform(0, 1) * np.array([18.0, -6, 0])),
        hair_colour=_rgb(hair),
        iris=_rgb(_IRIS[rng.integers(2 if tone > 2.6 else len(_IRIS))]),
        clothes=_rgb(_CLOTHES[rng.integers(len(_CLOTHES))] * rng.uniform(0.8, 1.15)),
        hair=style,
        volume=float(rng.uniform(0.0, 1.0)),
        hairline=around(0.88, 0.035),
        parting=float(rng.choice([-1, 1]) * rng.uniform(0.2, 0.55)),
        beard=float(rng.uniform(0.25, 0.8)) if bearded else 0.0,
        glasses=bool(rng.random() < 0.12),
        rest_mouth=around(0.0, 0.4),
        rest_brow=around(0.0, 0.3),
        rest_lid=around(0.0, 0.08),
        rest_jaw=max(0.0, around(0.0, 0.04)),
        gain=float(rng.uniform(0.75, 1.25)),
        anger=around(0.0, 1.0),
        talk=float(rng.beta(1.5, 2.0)),
        fidget=float(rng.uniform(0.85, 1.2)),
        asymmetry=around(0.0, 0.1),
    )


def _between(stops: np.ndarray, where: float) -> np.ndarray:
    """Linear interpolation along the rows of a palette."""
    return np.array([np.interp(where, np.arange(len(stops)), channel) for channel in stops.T])


def _rgb(colour: np.ndarray) -> RGB:
    r, g, b = np.clip(colour, 0, 255).tolist()
    return r, g, b
