"""A detector for tests of processes that are killed."""

import os
import signal
from pathlib import Path

import numpy as np

from anclaf.faces.detect import Face
from anclaf.inference import prediction
from whole_frame import WholeFrame


class Deadly(WholeFrame):
    """`WholeFrame` that kills its process at the 20th frame of what is red for the first time, and of what is blue
    always. An analysis has a checkpoint every three frames."""

    def __init__(self, flag: Path):
        self._flag, self._red = flag, 0

    def detect(self, image: np.ndarray) -> list[Face]:
        prediction.CHECKPOINT_EVERY = 3
        red, _, blue = (image.reshape(-1, 3).mean(0) > 150).tolist()
        self._red += red
        now = self._red == 20 and not self._flag.exists()
        if now:
            self._flag.touch()
        if now or blue:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().detect(image)
