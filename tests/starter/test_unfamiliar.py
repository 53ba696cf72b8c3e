"""Heads that are turned away, half hidden or blurred, against plain ones of people unseen."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

pytest.importorskip("numba")

from anclaf.config import ModelConfig
from anclaf.metrics.conformal import person_weights
from anclaf.models.familiarity import Familiarity
from anclaf.models.network import AffectNetwork, pooled, to_input
from anclaf.models.spec import Variant
from starter.corpus import Stream, generator
from starter.film import draw_person, draw_shot, film
from starter.perform import EMOTIONS, Performance, posed
from starter.rig import load_rig

SHARED = Path(__file__).parents[2].parent / "shared"
RIG, ASSETS = SHARED / "corpus" / "ict_facekit_light_id40.npz", SHARED / "assets"
SIZE = 64

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.thorough,
    pytest.mark.skipif(not (RIG.is_file() and ASSETS.is_dir()), reason="no head model beside the checkout"),
]


def heads(people: range, yaw: float = 0.0) -> NDArray[np.uint8]:
    """One face of each, seen from the front, or turned so far to one side."""
    rig, faces = load_rig(RIG), []
    for k in people:
        person, rng = draw_person(generator(3, Stream.PERSON, k), rig, ASSETS), generator(3, Stream.SHOT, k, 0)
        shot = draw_shot(rng, rig, person, ASSETS, SIZE)
        turned = yaw * (-1) ** k if yaw else rng.uniform(-0.35, 0.35)
        base = shot.base * [0.5, 0, 0.5] + [0, turned, 0]
        shot = replace(shot, base=base, cut=np.full(4, 99.0), pieces=list(person.hair), lenses=[])
        weights = posed(list(EMOTIONS)[k % len(EMOTIONS)], rig.names)[None] * rng.uniform(0, 1)
        still = np.zeros((1, 3), np.float32)
        act = Performance(weights.astype(np.float32), still[:, :2], still, still, np.zeros((1, 2)), np.zeros(1))
        faces.append(next(iter(film(generator(3, Stream.NOISE, k), rig, person, shot, act, SIZE))).image)
    return np.stack(faces)


def test_what_is_no_plain_face_is_unfamiliar():
    torch.manual_seed(0)
    # of random weights: what an encoder learns can only be better
    network = AffectNetwork(ModelConfig(image_size=SIZE, g_width=8), Variant("base")).eval()

    @torch.inference_mode()
    def z(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        return pooled(network.generator.planes(to_input(torch.from_numpy(faces))).z).numpy()

    validation = range(120, 180)
    weights = person_weights(np.array(validation))
    found = Familiarity.fit(z(heads(range(120))), z(heads(validation)), weights)
    unseen, rng = range(180, 230), np.random.default_rng(0)
    plain = heads(unseen)
    hidden = plain.copy()
    for k, face in enumerate(hidden):
        half = (np.s_[:, :32], np.s_[:, 32:], np.s_[:28], np.s_[36:])[k % 4]
        face[half] = rng.integers(0, 256, 3)
    blurred = np.stack([cv2.GaussianBlur(face, (0, 0), 3.0) for face in plain]).astype(np.uint8)
    shares = found.unfamiliar(z(plain)).round(6)
    assert (shares > 0.9).mean() < 0.25, "plain faces are plain"
    for name, odd in (("turned", heads(unseen, np.pi / 3)), ("hidden", hidden), ("blurred", blurred)):
        given = found.unfamiliar(z(odd)).round(6)
        auc = roc_auc_score(np.repeat([0, 1], 50), np.append(shares, given))
        assert auc >= 0.9, (name, auc)
