"""A drawn performance: a path of valence and arousal, and the movements of face and head that show it.

Valence is in the expression (mouth corners, cheeks, brows). Arousal is a little in the expression (eyelids, brows)
and mostly in the motion: how fast the head turns and nods, how often the eyes blink, how fast and wide the mouth
moves in speech. Speech interferes with the smile and blinks with the eyelids, and every person adds a resting face of
their own: one frame shows something of valence and little of arousal, a third of a second much of both.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from anclaf.synthetic.person import Person

TIME_CONSTANT_S = 1.6
"""Of the paths of valence and arousal."""


@dataclass(frozen=True)
class Moment:
    """One frame of a performance. valence, arousal in [-1, 1].

    yaw, pitch, roll: radians; positive turns the nose to the image's right, up, and the head clockwise. dx, dy: shift
    of the head in eye distances. The rest are activations, 0 = relaxed, about 1 = full; `lid` is 1 for an open eye
    and 0 for a closed one. hand: of a hand before the face, its centre (u, v) in eye distances from the middle of the
    eyes and the angle of its fingers in degrees from upright; or None.
    """

    valence: float
    arousal: float
    yaw: float
    pitch: float
    roll: float
    dx: float
    dy: float
    smile: float
    frown: float
    cheek: float
    jaw: float
    pucker: float
    brow_sad: float
    brow_angry: float
    brow_raise: float
    lid: float
    gaze_x: float
    gaze_y: float
    hand: tuple[float, float, float] | None


def affect_path(rng: np.random.Generator, frames: int, dt: float) -> NDArray[np.float64]:
    """(T, 2) valence and arousal in (-1, 1): an Ornstein-Uhlenbeck path around the clip's own mean, through tanh."""
    mean = rng.uniform(-0.75, 0.75, 2)
    path = np.stack([np.tanh(m + _wander(rng, frames, dt, TIME_CONSTANT_S, 0.45)) for m in mean], 1)
    return gaussian_filter1d(path, 0.05 / dt, axis=0, mode="nearest")


def perform(person: Person, rng: np.random.Generator, frames: int, fps: float) -> list[Moment]:
    """A clip of this person, frame by frame; `rng` decides everything beyond their habits."""
    dt = 1 / fps
    path = affect_path(rng, frames, dt)
    valence, arousal = path.T
    energy = (arousal + 1) / 2

    # speech: on and off, syllables faster and wider with arousal
    talking = _smooth((_wander(rng, frames, dt, 0.8, 1.0) < 2.0 * person.talk - 1.2).astype(float), 0.05 / dt)
    syllable = _phase(rng, 2.2 + 3.8 * energy, dt)
    jaw = talking * np.maximum(np.sin(syllable), 0) * (0.35 + 0.35 * energy) + person.rest_jaw
    pucker = talking * np.maximum(np.sin(0.41 * syllable + 1), 0) * 0.8
    free = 1 - 0.6 * talking * np.abs(np.sin(0.5 * syllable))

    # expression: valence in this person's manner, added to their resting face
    look = person.gain * valence + person.rest_mouth
    corner = look * free + 0.12 * _wander(rng, frames, dt, 0.4, 1.0)
    pleased = np.maximum(person.gain * valence + 0.5 * person.rest_mouth, 0)
    displeased = np.maximum(-person.gain * valence - 0.5 * person.rest_mouth, 0)
    angry = 1 / (1 + np.exp(-(2.0 * arousal + person.anger)))
    brow_raise = 0.38 * arousal + person.rest_brow + 0.12 * _wander(rng, frames, dt, 0.5, 1.0)

    # eyelids: wide or drowsy, narrowed by a smile, shut by blinks
    lid = 1 + 0.17 * arousal + person.rest_lid - 0.28 * pleased - 0.15 * displeased * angry
    blink = np.zeros(frames)
    for start in np.flatnonzero(rng.random(frames) < (0.08 + 0.9 * energy) * dt):
        blink = np.maximum(blink, np.exp(-((((np.arange(frames) - start) * dt) / 0.065) ** 4)))
    lid = np.clip(lid, 0.3, 1.4) * (1 - blink)

    # head: a pose that drifts slowly, and a movement whose speed (more than its amplitude) is the arousal. Yaw and
    # pitch are in quadrature, so that the speed shows in every frame and not only between the turning points
    pose = np.stack(
        [rng.normal(0, s) + _smooth(_wander(rng, frames, dt, 2.5, s * 0.6), 0.2 / dt) for s in (0.13, 0.06, 0.06)]
    )
    reach = 0.7 + 0.3 * energy
    phase = _phase(rng, person.fidget * (0.12 + 2.9 * energy) / reach, dt)
    lag = rng.choice([-1, 1]) * np.pi / 2 + 0.3 * _wander(rng, frames, dt, 0.8, 1.0)
    move = reach * np.stack([0.16 * np.sin(phase), 0.12 * np.sin(phase + lag), 0.05 * np.sin(0.7 * phase)])
    yaw, pitch, roll = pose + move
    sway = np.stack([_smooth(_wander(rng, frames, dt, 1.5, 0.05), 2) for _ in range(2)])

    gaze = [_smooth(_wander(rng, frames, dt, 0.5, s), 1) for s in (0.4, 0.25)]
    hands = _hands(rng, frames, dt)
    series = {
        "valence": valence,
        "arousal": arousal,
        "yaw": np.clip(yaw, -0.42, 0.42),
        "pitch": np.clip(pitch, -0.28, 0.22),
        "roll": np.clip(roll, -0.2, 0.2),
        "dx": sway[0] + 0.25 * yaw,
        "dy": sway[1] - 0.1 * pitch,
        "smile": np.clip(corner, 0, 1.25),
        "frown": np.clip(-corner, 0, 1.25),
        "cheek": np.clip(0.9 * pleased, 0, 1.2),
        "jaw": jaw + 0.25 * np.clip(corner, 0, 1) * energy,
        "pucker": pucker,
        "brow_sad": displeased * (1 - angry),
        "brow_angry": displeased * angry,
        "brow_raise": brow_raise,
        "lid": lid,
        "gaze_x": np.clip(gaze[0] - 1.2 * (yaw - yaw.mean()), -1, 1),
        "gaze_y": np.clip(gaze[1], -0.7, 0.7),
    }
    return [Moment(hand=hands[t], **{name: float(values[t]) for name, values in series.items()}) for t in range(frames)]


def _wander(rng: np.random.Generator, frames: int, dt: float, tau_s: float, sigma: float) -> NDArray[np.float64]:
    """(T,) Ornstein-Uhlenbeck path of this time constant and stationary standard deviation."""
    keep = np.exp(-dt / tau_s)
    steps = sigma * rng.normal(size=frames)
    steps[1:] *= np.sqrt(1 - keep**2)
    return np.asarray(lfilter([1], [1, -keep], steps))


def _smooth(values: NDArray[np.float64], sigma_frames: float) -> NDArray[np.float64]:
    return np.asarray(gaussian_filter1d(values, sigma_frames, mode="nearest"))


def _phase(rng: np.random.Generator, hertz: NDArray[np.float64], dt: float) -> NDArray[np.float64]:
    """(T,) phase of an oscillation of this momentary frequency, unsteady by a sixth."""
    unsteady = np.clip(1 + 0.16 * _wander(rng, len(hertz), dt, 0.4, 1.0), 0.5, 1.5)
    return rng.uniform(0, 2 * np.pi) + np.cumsum(2 * np.pi * dt * hertz * unsteady)


def _hands(rng: np.random.Generator, frames: int, dt: float) -> list[tuple[float, float, float] | None]:
    """Now and then a hand at the chin, a cheek or the brow, for a sixth to half a second."""
    hands: list[tuple[float, float, float] | None] = [None] * frames
    for start in np.flatnonzero(rng.random(frames) < 0.1 * dt):
        side = float(rng.choice([-1, 1]))
        u, v, lean = ((0.3, 1.7, 25), (0.9, 0.85, 45), (0.75, -0.65, 65))[rng.integers(3)]
        angle = -side * (lean + float(rng.uniform(-10, 10)))
        for t in range(start, min(frames, start + int(rng.uniform(0.16, 0.5) / dt))):
            hands[t] = (side * u + float(rng.normal(0, 0.02)), v + float(rng.normal(0, 0.02)), angle)
    return hands
