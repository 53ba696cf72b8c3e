"""Where named emotions lie in the plane of valence and arousal: the assumption by which votes for emotions become
labels.

The places are round values within what the literature on the circumplex gives (Russell 1980; Russell & Mehrabian 1977):
published ones differ by 0.2 and more, and a face that most call angry may look more or less so.
"""

from collections.abc import Mapping

PLACES: Mapping[str, tuple[float, float]] = {
    "anger": (-0.5, 0.6),
    "disgust": (-0.6, 0.35),
    "fear": (-0.6, 0.7),
    "happiness": (0.75, 0.25),
    "neutral": (0.0, 0.0),
    "sadness": (-0.65, -0.3),
}
"""Valence and arousal, each in [-1, 1]."""


def weighted_place(weights: Mapping[str, float]) -> tuple[float, float] | None:
    """The mean of the places of emotions, by weights of 0 or more; None where no weight is above 0."""
    total = sum(weights.values())
    if not total > 0:
        return None
    valence, arousal = (sum(w * PLACES[name][k] for name, w in weights.items()) / total for k in (0, 1))
    return valence, arousal


def places_text() -> str:
    """The table in words, for the corpus card."""
    return ", ".join(f"{name} {valence:g}/{arousal:g}" for name, (valence, arousal) in PLACES.items())
