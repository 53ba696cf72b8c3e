"""How a face and a head move in a clip: expressions that come and go, speech, blinks, glances, turns of the head.

Everything here is drawn from the performance's own generator, which nothing of the look shares.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from starter.rule import affect

FPS = 25.0

EMOTIONS: dict[str, dict[str, float]] = {
    "joy": {"mouthSmile": 0.9, "cheekSquint": 0.7},
    "laughter": {"mouthSmile": 1.0, "cheekSquint": 0.8, "jawOpen": 0.35, "mouthUpperUp": 0.35, "eyeSquint": 0.3},
    "sadness": {"browInnerUp": 0.9, "browDown": 0.3, "mouthFrown": 0.9, "mouthShrugLower": 0.4},
    "surprise": {"browInnerUp": 0.9, "browOuterUp": 0.9, "eyeWide": 0.8, "jawOpen": 0.45},
    "fear": {"browInnerUp": 0.8, "browOuterUp": 0.5, "browDown": 0.5, "eyeWide": 0.8, "mouthStretch": 0.8,
             "jawOpen": 0.2},
    "anger": {"browDown": 1.0, "eyeWide": 0.35, "eyeSquint": 0.5, "mouthPress": 0.7, "noseSneer": 0.3},
    "rage": {"browDown": 1.0, "eyeSquint": 0.4, "noseSneer": 0.7, "mouthUpperUp": 0.6, "mouthLowerDown": 0.6,
             "jawOpen": 0.3},
    "disgust": {"noseSneer": 0.9, "mouthUpperUp": 0.5, "mouthFrown": 0.6, "mouthLowerDown": 0.3, "eyeSquint": 0.4},
    "contempt": {"mouthSmile": 0.35, "mouthDimple": 0.7},
    "sleepiness": {"eyeBlink": 0.55},
}  # fmt: skip
"""Shapes of posed emotions (EMFACS), full strength; `_L` and `_R` alike, but for contempt."""

_MOUTH = ("mouth", "jaw")
_GAZE = ("eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeLookDown")
_STRONGEST = 1.15


@dataclass(frozen=True)
class Performance:
    """T frames. weights: (T, E) of the shapes, blinks and all. gaze: (T, 2) radians to the image's right and up, from
    straight ahead. turn: (T, 3) radians of the head around its base: pitch, yaw, roll. shift: (T, 3) cm of the head.
    affect: (T, 2) valence and arousal. speed: (T,) of the head, radians a second."""

    weights: NDArray[np.float32]
    gaze: NDArray[np.float32]
    turn: NDArray[np.float32]
    shift: NDArray[np.float32]
    affect: NDArray[np.float64]
    speed: NDArray[np.float64]


def stems(names: tuple[str, ...]) -> list[str]:
    """The shapes' names without sides, each once, in order."""
    return list(dict.fromkeys(name.removesuffix("_L").removesuffix("_R") for name in names))


class _Face:
    """Weights of shapes by their names."""

    def __init__(self, names: tuple[str, ...], frames: int):
        self.names = names
        self.weights = np.zeros((frames, len(names)))

    def columns(self, stem: str) -> list[int]:
        """The shape's one column, or those of the right and of the left."""
        if stem in self.names:
            return [self.names.index(stem)]
        return [self.names.index(f"{stem}_R"), self.names.index(f"{stem}_L")]

    def add(self, stem: str, value: NDArray | float) -> None:
        for column in self.columns(stem):
            self.weights[:, column] += value


def resting_face(rng: np.random.Generator, names: tuple[str, ...]) -> NDArray[np.float64]:
    """(E,) weights of a person's own rest: a few muscles that are never quite relaxed."""
    face = _Face(names, 1)
    habits = ["mouthSmile", "mouthFrown", "browDown", "browInnerUp", "browOuterUp", "eyeSquint", "eyeWide", "eyeBlink",
              "mouthPress", "mouthPucker", "mouthShrugLower", "cheekSquint", "mouthUpperUp", "jawForward"]  # fmt: skip
    for stem in rng.choice(habits, rng.integers(2, 6), replace=False):
        face.add(str(stem), float(rng.beta(1.3, 5.0) * (0.35 if stem == "eyeBlink" else 0.6)))
    face.weights *= 1 + rng.normal(0, 0.15, face.weights.shape)
    return np.clip(face.weights[0], 0, 0.5)


def posed(emotion: str, names: tuple[str, ...]) -> NDArray[np.float64]:
    """(E,) a posed emotion of `EMOTIONS` at full strength."""
    face = _Face(names, 1)
    for stem, full in EMOTIONS[emotion].items():
        face.add(stem, full)
    if emotion == "contempt":
        _weaken(face, "_R")
    return face.weights[0]


def _weaken(face: _Face, side: str) -> None:
    face.weights[:, [name.endswith(side) for name in face.names]] *= 0.15


def _which(rng: np.random.Generator) -> str:
    odds = np.array([14, 8, 3, 3, 2, 3, 2, 2, 1, 1], float)
    return str(rng.choice(list(EMOTIONS), p=odds / odds.sum()))


def _emotion(rng: np.random.Generator, names: tuple[str, ...]) -> NDArray[np.float64]:
    """(E,) a posed emotion of any strength, some of its muscles missing."""
    face = _Face(names, 1)
    kind = _which(rng)
    strength = float(rng.uniform(0.25, 1.15))
    keep = float(rng.uniform(0.6, 1.0))
    for stem, full in EMOTIONS[kind].items():
        if rng.random() < keep:
            face.add(stem, full * strength * rng.uniform(0.6, 1.25))
    if kind == "contempt":
        _weaken(face, str(rng.choice(["_R", "_L"])))
    if kind in ("joy", "surprise", "sadness") and rng.random() < 0.5:
        face.add("jawOpen", float(rng.uniform(0, 0.3)))
    if kind == "joy" and rng.random() < 0.65:  # most smiles show teeth
        face.add("mouthUpperUp", float(strength * rng.uniform(0.1, 0.5)))
        face.add("mouthLowerDown", float(strength * rng.uniform(0.1, 0.45)))
    return face.weights[0]


def _anything(rng: np.random.Generator, names: tuple[str, ...]) -> NDArray[np.float64]:
    """(E,) any few muscles of all, sometimes strong."""
    face = _Face(names, 1)
    choice = [stem for stem in stems(names) if stem not in _GAZE and stem not in ("mouthClose", "eyeBlink")]
    count = min(1 + rng.geometric(0.28), 12)
    for stem in rng.choice(choice, count, replace=False):
        face.add(str(stem), float(rng.beta(1.0, 1.6) * 1.1))
    if rng.random() < 0.12:
        face.add("eyeBlink", float(rng.uniform(0.2, 1.0)))
    return face.weights[0]


def _pose(rng: np.random.Generator, names: tuple[str, ...], rest: NDArray[np.float64]) -> NDArray[np.float64]:
    """(E,) an expression that is held for a while."""
    kind = rng.random()
    if kind < 0.16:
        target = rng.uniform(0, 0.15) * _anything(rng, names)
    elif kind < 0.44:
        target = _anything(rng, names)
    elif kind < 0.82:
        target = _emotion(rng, names)
    else:
        share = rng.uniform(0.3, 0.8)
        target = share * _emotion(rng, names) + (1 - share) * _anything(rng, names)
    uneven = rng.normal(0, 0.08 if rng.random() < 0.75 else 0.4, len(names))
    target = target * np.clip(1 + uneven, 0, 2)
    return rest * rng.uniform(0.4, 1.0) * (target < 0.05) + np.maximum(target, 0.3 * rest)


def _glide(rng: np.random.Generator, frames: int, tau_s: float, sigma: float, width: int = 1) -> NDArray[np.float64]:
    """(T, width) smooth wandering around 0 with this standard deviation, some of it constant over a short clip."""
    lead = round(3 * tau_s * FPS) + 1
    keep = np.exp(-1 / (tau_s * FPS))
    path = np.empty((frames + lead, width))
    steps = rng.normal(0, sigma, path.shape)
    path[0] = steps[0]
    for t in range(1, len(path)):
        path[t] = keep * path[t - 1] + np.sqrt(1 - keep**2) * steps[t]
    half = 2
    kernel = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(path, ((half, half), (0, 0)), "edge")
    smooth = np.stack([np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T], 1)
    return smooth[lead:]


def _whole(rng: np.random.Generator, names: tuple[str, ...], rest: NDArray[np.float64]) -> NDArray[np.float64]:
    """(E,) a posed emotion of any strength, all its muscles alike; or, one time in six, rest."""
    if rng.random() < 0.16:
        return rest
    return np.maximum(rng.uniform(0.25, 1.0) * posed(_which(rng), names), rest)


_Pose = Callable[[np.random.Generator, tuple[str, ...], NDArray[np.float64]], NDArray[np.float64]]


def perform(
    rng: np.random.Generator, names: tuple[str, ...], rest: NDArray[np.float64], frames: int,
    without: Collection[str] = (),
) -> Performance:  # fmt: skip
    """A clip of `frames` frames at `FPS` a second by a person with this (E,) resting face; with `muscles` of
    `without.PARTS` held still."""
    time = np.arange(frames) / FPS
    face = _Face(names, frames)
    face.weights[:] = _expressions(rng, names, rest, time, _whole if "muscles" in without else _pose)
    if "muscles" not in without:
        _add_speech(rng, face, time)
    face.weights += _glide(rng, frames, 0.4, 0.015, len(names)) * (face.weights > 0.03)
    gaze = _gaze(rng, frames)
    for stem, value in (("eyeLookUp", gaze[:, 1]), ("eyeLookDown", -gaze[:, 1])):
        face.add(stem, np.clip(value / 0.5, 0, 1))
    for stem, first in (("eyeLookOut", 1), ("eyeLookIn", -1)):
        right, left = face.columns(stem)
        face.weights[:, left] += np.clip(first * gaze[:, 0] / 0.6, 0, 1)
        face.weights[:, right] += np.clip(-first * gaze[:, 0] / 0.6, 0, 1)
    _limit(face, names)
    turn, shift = _head(rng, frames)
    rate = np.sqrt((np.gradient(turn, axis=0) ** 2).sum(1)) * FPS if frames > 1 else np.zeros(1)
    labels = affect(face.weights, rest, names, rate, FPS)
    blink = _blinks(rng, time)
    for column in face.columns("eyeBlink"):
        face.weights[:, column] = np.maximum(face.weights[:, column], blink)
    return Performance(
        face.weights.astype(np.float32), gaze.astype(np.float32), turn.astype(np.float32), shift.astype(np.float32),
        labels, rate,
    )  # fmt: skip


def _expressions(
    rng: np.random.Generator, names: tuple[str, ...], rest: NDArray[np.float64], time: NDArray[np.float64], pose: _Pose
) -> NDArray[np.float64]:
    """(T, E) one pose after the other; each comes at a speed of its own."""
    weights = np.tile(pose(rng, names, rest), (len(time), 1))
    at, stop = -0.3, time[-1] + 0.3
    while True:
        at += float(rng.exponential(0.9))
        if at > stop:
            return weights
        takes = float(np.exp(rng.normal(np.log(0.35), 0.55)))
        part = np.clip((time - at) / takes + 0.5, 0, 1)[:, None]
        weights += part * part * (3 - 2 * part) * (pose(rng, names, rest) - weights)


def _add_speech(rng: np.random.Generator, face: _Face, time: NDArray[np.float64]) -> None:
    """Syllables that overwrite part of what the mouth does, in a third of the clips."""
    if rng.random() > 0.35:
        return
    energy, rate = rng.uniform(0.35, 1.0), rng.uniform(2.5, 6.0)
    phase = 2 * np.pi * (rate * time + rng.random()) + 0.5 * np.sin(2 * np.pi * rng.uniform(0.5, 1.5) * time)
    opened = np.maximum(np.sin(phase), 0) ** rng.uniform(0.6, 1.4)
    mouth = [i for i, name in enumerate(face.names) if name.startswith(_MOUTH)]
    face.weights[:, mouth] *= 1 - 0.4 * energy * (0.5 + 0.5 * opened[:, None])
    face.add("jawOpen", 0.3 * energy * opened * rng.uniform(0.6, 1.2))
    for stem, most in (("mouthFunnel", 0.5), ("mouthPucker", 0.45), ("mouthStretch", 0.3), ("mouthLowerDown", 0.35),
                       ("mouthUpperUp", 0.2), ("mouthRollLower", 0.25), ("mouthPress", 0.3)):  # fmt: skip
        wave = np.sin(rng.uniform(0.3, 0.6) * phase + rng.uniform(0, 6.3))
        share = 1 - opened if stem in ("mouthPucker", "mouthRollLower", "mouthPress") else opened
        face.add(stem, most * energy * rng.random() * np.maximum(wave, 0) * share)


def _gaze(rng: np.random.Generator, frames: int) -> NDArray[np.float64]:
    """(T, 2) radians: towards the camera or elsewhere, with a leap now and then."""
    spread = np.array([0.06, 0.04]) if rng.random() < 0.5 else np.array([0.28, 0.16])
    gaze = np.tile(rng.normal(0, spread), (frames, 1))
    for leap in np.flatnonzero(rng.random(frames) < 0.6 / FPS):
        gaze[leap:] = rng.normal(0, spread)
    return np.clip(gaze, [-0.6, -0.4], [0.6, 0.35])


def _blinks(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T,) how far blinks close the lids; each takes a quarter of a second."""
    closed = np.zeros(len(time))
    for at in rng.uniform(-0.2, time[-1] + 0.2, rng.poisson(0.35 * (time[-1] + 0.4))):
        closed = np.maximum(closed, np.exp(-(((time - at) / 0.075) ** 4)))
    return closed


def _limit(face: _Face, names: tuple[str, ...]) -> None:
    """Keep to what a face can do: no muscle far beyond its strength, not all of the mouth's at once."""
    np.clip(face.weights, -0.1, _STRONGEST, face.weights)
    for side in ("_R", "_L", ""):
        mouth = [i for i, name in enumerate(names) if name.startswith("mouth") and name.endswith(side)
                 and (side or name[-2] != "_")]  # fmt: skip
        total = np.maximum(face.weights[:, mouth], 0).sum(1, keepdims=True)
        face.weights[:, mouth] *= np.minimum(1, 2.6 / np.maximum(total, 1e-9))
    lids = [face.columns(stem) for stem in ("eyeBlink", "eyeWide", "eyeSquint")]
    for side in range(2):
        blink, wide, squint = (columns[side] for columns in lids)
        face.weights[:, wide] *= 1 - np.clip(face.weights[:, blink], 0, 1)
        face.weights[:, squint] *= 1 - 0.6 * np.clip(face.weights[:, blink], 0, 1)


def _head(rng: np.random.Generator, frames: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(T, 3) turns in radians and (T, 3) shifts in cm: drifting, and nodding or shaking at times."""
    energy = float(rng.beta(1.0, 2.2))
    turn = _glide(rng, frames, 1.2, 0.03 + 0.10 * energy, 3) * [1.0, 1.3, 0.7]
    if rng.random() < 0.35:
        rate, phase = rng.uniform(0.8, 3.0), rng.uniform(0, 2 * np.pi)
        swing = 0.16 * energy * np.sin(2 * np.pi * rate * np.arange(frames) / FPS + phase)
        turn[:, rng.choice(3, p=[0.45, 0.4, 0.15])] += swing
    return turn, _glide(rng, frames, 1.0, 0.3 + 1.2 * energy, 3)
