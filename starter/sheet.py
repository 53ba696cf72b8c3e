"""A picture of many faces, for a person to look at."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anclaf.core.errors import ConfigError
from anclaf.core.files import atomic_path
from starter.corpus import RenderSettings, Stream, generator, head_of, render_person
from starter.film import Person, Shot, draw_person, draw_shot, film
from starter.perform import EMOTIONS, FPS, Performance, posed
from starter.rule import affect
from starter.without import good_camera, nothing_worn

_COLUMNS = 10
_TILE = 144


def write_sheet(
    out: Path, rigs: tuple[Path, ...], assets: Path, people: int, plain: bool, size: int, seed: int
) -> None:
    """Write a PNG: a row for each person.

    Raises:
        ConfigError: a setting is out of range, or the rig or the assets cannot be used.
        OutputError: the file cannot be written.
    """
    if people < 1:
        raise ConfigError(f"people: got {people}; expected 1 or more")
    settings = RenderSettings(rigs, assets, people, _COLUMNS, 2, 0, size, seed)
    rows = []
    for identity in range(people):
        if plain:
            row = _posed_row(settings, identity)
        else:
            clips = render_person(settings, identity)
            row = [_tile(clip.faces[1], f"{clip.affect[1, 0]:+.2f} {clip.affect[1, 1]:+.2f}") for clip in clips]
        rows.append(np.concatenate(row, 1))
    with atomic_path(out) as path:
        path.write_bytes(cv2.imencode(".png", np.concatenate(rows)[..., ::-1])[1].tobytes())


def _tile(image: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    tile = np.ascontiguousarray(cv2.resize(image, (_TILE, _TILE), interpolation=cv2.INTER_NEAREST))
    cv2.putText(tile, text, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.37, (255, 255, 0), 1, cv2.LINE_AA)
    return np.asarray(tile, np.uint8)


def _posed_row(settings: RenderSettings, identity: int) -> list[NDArray[np.uint8]]:
    rig = head_of(settings, identity)
    person = draw_person(generator(settings.seed, Stream.PERSON, identity), rig, settings.assets)
    rng = generator(settings.seed, Stream.SHOT, identity, 0)
    shot = _plain(draw_shot(rng, rig, person, settings.assets, settings.size), person, settings.size)
    row = []
    for name in ("rest", *EMOTIONS):
        weights = posed(name, rig.names)[None] if name != "rest" else np.zeros((1, len(rig.names)))
        labels = affect(weights, np.zeros(len(rig.names)), rig.names, np.zeros(1), FPS)
        still = np.zeros((1, 3), np.float32)
        act = Performance(weights.astype(np.float32), still[:, :2], still, still, labels, np.zeros(1))
        frame = next(iter(film(generator(0, Stream.NOISE), rig, person, shot, act, settings.size)))
        row.append(_tile(frame.image, f"{name[:8]} {labels[0, 0]:+.2f} {labels[0, 1]:+.2f}"))
    return row


def _plain(shot: Shot, person: Person, size: int) -> Shot:
    """The shot from the front by a good camera, with nothing before the face."""
    shot = nothing_worn(good_camera(shot, size), person)
    base, error = shot.base * [0.3, 0.5, 0.3], shot.error * 0.3
    return replace(shot, base=base, cut=np.full(4, 99.0), error=error, distance=120.0)
