"""Light and background: spherical harmonics of a photographed surrounding, one lamp, and what is behind the head."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anclaf.core.errors import ConfigError

Array = NDArray[np.float32]
BACKDROP = 192
"""Side of a backdrop in pixels; it covers the whole picture that the camera takes."""


@dataclass(frozen=True)
class Light:
    """sh: (9, 3) for `raster.shade`. lamp: (3,) unit vector towards it, in the camera's directions. colour: (3,)."""

    sh: Array
    lamp: Array
    colour: Array


@lru_cache(maxsize=1)
def surroundings(assets: Path) -> tuple[Array, ...]:
    """The pictures of `assets/hdri/*.hdr`, (32, 64, 3) linear RGB, each with a mean of 1.

    Raises:
        ConfigError: there is none, or one cannot be read.
    """
    found = []
    for path in sorted((assets / "hdri").glob("*.hdr")):
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if image is None or image.ndim != 3:
            raise ConfigError(f"{path}: cannot be read as a Radiance picture")
        image = cv2.resize(image[..., ::-1], (64, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
        image = np.minimum(image, 60 * np.median(image) + 1e-6)
        found.append(image / image.mean())
    if not found:
        raise ConfigError(f"assets {assets}: no hdri/*.hdr there; docs/starter.md says where they come from")
    return tuple(found)


def _directions(height: int, width: int) -> tuple[Array, Array]:
    """(H, W, 3) direction of each pixel of a picture of all around, and (H, W) its solid angle."""
    polar = (np.arange(height) + 0.5) * np.pi / height
    around = (np.arange(width) + 0.5) * 2 * np.pi / width
    sine = np.sin(polar)[:, None]
    direction = np.stack([sine * np.sin(around), np.cos(polar)[:, None] * np.ones(width), sine * np.cos(around)], -1)
    solid = sine * np.ones(width) * (np.pi / height) * (2 * np.pi / width)
    return direction.astype(np.float32), solid.astype(np.float32)


def irradiance_factors(picture: Array) -> Array:
    """(9, 3) factors of 1, y, z, x, xy, yz, 3z²-1, xz, x²-y² that give irradiance over pi by direction.

    Ramamoorthi and Hanrahan 2001, "An Efficient Representation for Irradiance Environment Maps".
    """
    direction, solid = _directions(*picture.shape[:2])
    x, y, z = np.moveaxis(direction, -1, 0)
    basis = [np.full_like(x, 0.282095), 0.488603 * y, 0.488603 * z, 0.488603 * x, 1.092548 * x * y, 1.092548 * y * z,
             0.315392 * (3 * z * z - 1), 1.092548 * x * z, 0.546274 * (x * x - y * y)]  # fmt: skip
    scale = [0.282095] + [0.488603] * 3 + [1.092548] * 2 + [0.315392, 1.092548, 0.546274]
    cosine = [1.0] + [2 / 3] * 3 + [1 / 4] * 5
    out = [a * s * ((b * solid)[..., None] * picture).sum((0, 1)) for a, s, b in zip(cosine, scale, basis, strict=True)]
    return np.stack(out).astype(np.float32)


def draw_light(rng: np.random.Generator, assets: Path) -> tuple[Light, Array]:
    """A light, and the turned picture of the surroundings that it came from."""
    pictures = surroundings(assets)
    picture = np.roll(pictures[rng.integers(len(pictures))], int(rng.integers(64)), 1)
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    ambient = float(np.exp(rng.normal(np.log(0.6), 0.4)))
    flat = rng.uniform(0, 0.6) if rng.random() < 0.6 else 0.0
    sh = irradiance_factors(picture)
    grey = sh.mean(1, keepdims=True) + (sh - sh.mean(1, keepdims=True)) * rng.uniform(0, 1)
    grey[1:] *= 1 - flat
    yaw = rng.normal(0, 0.75) if rng.random() < 0.8 else rng.uniform(-2.2, 2.2)
    height = rng.normal(0.5, 0.35)
    lamp = np.array([np.sin(yaw) * np.cos(height), np.sin(height), np.cos(yaw) * np.cos(height)])
    power = float(rng.choice([0.0, 0.5, 1.0, 1.8], p=[0.10, 0.25, 0.40, 0.25]) * rng.uniform(0.6, 1.4))
    warmth = rng.normal(0, 0.12)
    colour = power * np.array([1 + warmth, 1.0, 1 - warmth])
    return Light(grey * ambient, lamp.astype(np.float32), np.maximum(colour, 0).astype(np.float32)), picture


def draw_backdrop(rng: np.random.Generator, picture: Array) -> Array:
    """(BACKDROP, BACKDROP, 3) linear RGB: the surroundings out of focus, a wall, or shapes."""
    kind, side = rng.random(), BACKDROP
    if kind < 0.4:
        turn = np.roll(picture, 32, 1)  # what lies behind the head
        wide, high = int(rng.integers(8, 24)), int(rng.integers(6, 18))
        x, y = int(rng.integers(0, 64 - wide)), int(rng.integers(4, 28 - high))
        view = np.clip(turn[y : y + high, x : x + wide], 0, 4)
        image = cv2.resize(view, (side, side), interpolation=cv2.INTER_CUBIC)
        image = image * rng.uniform(0.3, 1.2)
    else:
        base = rng.beta(0.9, 1.3) * (1 + rng.normal(0, 0.12, 3))
        ramp = np.linspace(-1, 1, side)
        slope = rng.normal(0, 0.3, 2)
        image = base * (1 + slope[0] * ramp[:, None, None] + slope[1] * ramp[None, :, None]) * np.ones((side, side, 3))
        image = np.ascontiguousarray(image, np.float32)
        for _ in range(int(rng.integers(0, 10)) if kind < 0.85 else 0):
            colour = (rng.beta(0.8, 1.4) * (1 + rng.normal(0, 0.2, 3))).tolist()
            x, y = (int(v) for v in rng.integers(-20, side, 2))
            wide, high = (int(v) for v in rng.integers(8, side, 2))
            if rng.random() < 0.3:
                cv2.ellipse(image, (x, y), (wide // 2, high // 2), float(rng.uniform(0, 180)), 0, 360, colour, -1)
            else:
                cv2.rectangle(image, (x, y), (x + wide, y + high), colour, -1)
        blur = float(np.exp(rng.uniform(np.log(0.5), np.log(12))))
        image = cv2.GaussianBlur(image, (0, 0), blur)
    rough = rng.normal(0, rng.uniform(0, 0.12), (side // 4, side // 4, 1))
    image = image * (1 + cv2.resize(rough, (side, side), interpolation=cv2.INTER_CUBIC)[..., None])
    return np.clip(image, 0.002, 3).astype(np.float32)
