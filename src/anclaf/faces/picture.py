"""A decoded picture as it is shown: upright, of square pixels, in the colours of a standard screen."""

from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

_UNSPECIFIED = 2
"""AVCOL_SPC_UNSPECIFIED."""
_HIGH_DYNAMIC_RANGE = frozenset({ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67})
_LARGE = (1280, 576)
"""Pictures that are wider or higher and say nothing of their colours are BT.709, others BT.601, as mpv takes them."""
_MOST_STRETCH = 4


class _Turn(NamedTuple):
    """How a stored picture becomes upright: rows and columns swapped, then rows, then columns reversed."""

    swapped: bool = False
    upside_down: bool = False
    mirrored: bool = False

    @classmethod
    def of(cls, frame: av.VideoFrame) -> "_Turn":
        """What the display matrix says, to the nearest quarter turn."""
        if (matrix := frame.side_data.get("DISPLAYMATRIX")) is None:
            return cls()
        # a stored point (x, y) is shown at (a x + c y, b x + d y); libavutil/display.h
        a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
        x, y = (a, d) if abs(a) >= abs(b) else (c, b)
        return cls(abs(a) < abs(b), y < 0, x < 0)


class Screen:
    """Shows the pictures of one video stream.

    To be made of a video's first frame only: PyAV's side data keep their frame alive in a reference cycle, and frames
    that wait for the garbage collector make memory grow.

    Pixels are made square by enlarging the shorter side of each. Colours: the matrix and the range that the frame
    states; of frames that state no matrix BT.709 where they are large, else BT.601. PQ and HLG (HDR) become sRGB by
    swscale's tone mapping, for the brightness that the format states, whatever a mastering display's metadata say.
    Wide gamuts of standard dynamic range (BT.2020, P3) are not mapped.
    """

    def __init__(self, frame: av.VideoFrame, stream: VideoStream):
        self._turn = _Turn.of(frame)
        self._shape = _stretch(stream.sample_aspect_ratio)
        self._reformatter = VideoReformatter()

    @property
    def stretch(self) -> tuple[float, float]:
        """How much wider and higher a picture is than it is stored, upright."""
        x, y = map(float, self._shape)
        return (y, x) if self._turn.swapped else (x, y)

    def size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Width and height of a picture as `show` gives it."""
        x, y = self._square(frame)
        return (y, x) if self._turn.swapped else (x, y)

    def show(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB."""
        width, height = self._square(frame)
        resized = (width, height) != (frame.width, frame.height)
        deep = frame.color_trc in _HIGH_DYNAMIC_RANGE
        # one reformatter for all, because it is costly to set up, for tone mapping above all
        shown = self._reformatter.reformat(
            frame,
            width,
            height,
            "rgb24",
            src_colorspace=_matrix(frame),
            interpolation=Interpolation.BICUBIC if resized else Interpolation.BILINEAR,
            dst_color_trc=ColorTrc.IEC61966_2_1 if deep else None,
            dst_color_primaries=ColorPrimaries.BT709 if deep else None,
            threads=1,
        )
        image = np.asarray(shown.to_ndarray(), np.uint8)
        turn = self._turn
        image = image.swapaxes(0, 1) if turn.swapped else image
        return np.ascontiguousarray(image[:: -1 if turn.upside_down else 1, :: -1 if turn.mirrored else 1])

    def _square(self, frame: av.VideoFrame) -> tuple[int, int]:
        x, y = self._shape
        return round(frame.width * x), round(frame.height * y)


def _stretch(pixel: Fraction | None) -> tuple[Fraction, Fraction]:
    """By how much stored pictures are enlarged; an aspect that no camera has is taken for none."""
    if not pixel or not Fraction(1, _MOST_STRETCH) <= pixel <= _MOST_STRETCH:
        return Fraction(1), Fraction(1)
    return max(pixel, Fraction(1)), max(1 / pixel, Fraction(1))


def _matrix(frame: av.VideoFrame) -> Colorspace | None:
    large = frame.width >= _LARGE[0] or frame.height > _LARGE[1]
    coded = not frame.format.is_rgb and frame.color_range != 2
    return Colorspace.ITU709 if frame.colorspace == _UNSPECIFIED and large and coded else None
