"""What a camera and a file do to a picture: exposure, noise, blur, low resolution, compression, grey."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Lens:
    """Of a clip.

    exposure: mean of the face in linear light. balance: (3,) of the white. curve: contrast around the middle. black:
    what the darkest becomes. noise: spread at mid-grey; grain: its size in pixels. blur: sigma in parts of the crop's
    side. shutter: part of a frame's time that it is open. resolution: side in pixels at which the face was recorded.
    quality: of JPEG, 0 for none. grey: no colour. sharpen: how much edges are overdrawn. soft: sigma in pixels of what
    cutting the crop out does; real crops are as soft as the mean one here.
    """

    exposure: float
    balance: Array
    curve: float
    black: float
    noise: float
    grain: float
    blur: float
    shutter: float
    resolution: int
    quality: int
    grey: bool
    sharpen: float
    soft: float


def draw_lens(rng: np.random.Generator, size: int) -> Lens:
    """A good camera, or a bad one."""
    poor = rng.random() < 0.4
    resolution = size
    if rng.random() < 0.3:
        resolution = round(size * np.exp(rng.uniform(np.log(0.4), 0)))
    return Lens(
        exposure=float(np.exp(rng.normal(np.log(0.24), 0.32))),
        balance=np.exp(rng.normal(0, 0.07, 3)).astype(np.float32),
        curve=float(rng.normal(1.15, 0.2)),
        black=float(rng.beta(1, 6) * 0.12),
        noise=float(rng.beta(1, 4) * (0.06 if poor else 0.015)),
        grain=float(rng.uniform(0, 0.9)),
        blur=float(rng.beta(1, 5) * 0.025),
        shutter=float(rng.uniform(0, 0.9)),
        resolution=max(20, resolution),
        quality=int(rng.uniform(25, 95)) if rng.random() < 0.6 else 0,
        grey=bool(rng.random() < 0.3),
        sharpen=float(max(rng.normal(0, 0.25), 0)),
        soft=float(rng.uniform(0.3, 0.8)),
    )


def develop(rng: np.random.Generator, image: NDArray, lens: Lens, gain: float, streak: NDArray) -> NDArray[np.uint8]:
    """(2S, 2S, 3) linear light -> (S, S, 3) uint8.

    gain: brings the face to `lens.exposure`. streak: (2,) pixels of the crop that the face moves while the shutter is
    open.
    """
    size = image.shape[0] // 2
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) * (gain * lens.balance)
    image = _streaked(image, streak)
    if lens.blur * size > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), lens.blur * size)
    image = np.clip(image, 0, None)
    image = image / (1 + 0.18 * image)  # highlights roll off
    image = np.clip(image, 0, 1) ** np.float32(1 / 2.2)
    image = lens.black + (1 - lens.black) * ((image - 0.45) * lens.curve + 0.45)
    if lens.grey:
        image = (image @ np.array([[0.299], [0.587], [0.114]], np.float32)).repeat(3, 2)
    if lens.resolution < size:
        image = cv2.resize(image, (lens.resolution, lens.resolution), interpolation=cv2.INTER_AREA)
    if lens.noise:
        grain = rng.standard_normal((*image.shape[:2], 1 if lens.grey else 3), np.float32)
        if lens.grain > 0.4:
            grain = cv2.GaussianBlur(grain, (0, 0), lens.grain).reshape(*image.shape[:2], -1) * (2.2 * lens.grain + 0.6)
        image = image + lens.noise * grain
    if lens.sharpen:
        image = image + lens.sharpen * (image - cv2.GaussianBlur(image, (0, 0), 1.0))
    out = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    if lens.quality:
        coded = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, lens.quality])[1]
        out = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    if lens.resolution < size:
        out = np.asarray(cv2.resize(out, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)
    return np.asarray(cv2.GaussianBlur(out, (0, 0), lens.soft), np.uint8) if lens.soft else out


def _streaked(image: NDArray, streak: NDArray) -> NDArray:
    """Blurred along a straight movement of this many pixels."""
    length = float(np.hypot(*streak))
    if length < 0.7:
        return image
    half = int(np.ceil(min(length, 12) / 2)) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for part in np.linspace(-0.5, 0.5, 25):
        x, y = half + part * streak[0] * min(1, 12 / length), half + part * streak[1] * min(1, 12 / length)
        kernel[round(y), round(x)] += 1
    return cv2.filter2D(image, -1, kernel / kernel.sum())
