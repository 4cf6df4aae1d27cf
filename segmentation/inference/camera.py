"""Read a camera: frames at the times when they come, until it is interrupted."""

import re
import time
from collections.abc import Iterator
from fractions import Fraction

import cv2

from segmentation.errors import DataError
from segmentation.inference.video import Frame

TIME_BASE = Fraction(1, 1000)
"""The unit of a camera's times, in seconds."""
RATE = Fraction(25)
"""Frames in a second of a camera that does not tell."""


def camera_number(source: str) -> int | None:
    """Return the number of the camera that ``camera`` or ``camera:1`` means; None for no camera."""
    found = re.fullmatch(r"camera(?::(\d{1,3}))?", source)
    return found and int(found[1] or 0)


class Camera:
    """A camera of this computer; a context manager.

    Args:
        number: from 0.

    Attributes:
        rate: frames in a second.

    Raises:
        DataError: there is no such camera, or another program uses it.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._capture = cv2.VideoCapture(number)
        if not self._capture.isOpened():
            raise DataError(
                f"no camera {number} can be opened: there is none, another program uses it, or "
                "this user may not. Others are camera:1, camera:2, ..."
            )
        told = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = Fraction(round(told)) if 1 <= told <= 1000 else RATE

    def __enter__(self) -> "Camera":
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.release()

    def read(self) -> Iterator[Frame]:
        """Yield frames, timed in `TIME_BASE` from the first on, until the camera gives no more."""
        start, last = time.monotonic(), -1
        while True:
            there, pixels = self._capture.read()
            if not there:
                return
            last = max(last + 1, round((time.monotonic() - start) / TIME_BASE))
            yield Frame(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), last, 0)
