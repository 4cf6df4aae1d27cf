"""Predict the frames of a video or a camera, and write them with the colours of their classes."""

from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path

from segmentation.data.images.image_reader import Decoded
from segmentation.errors import DataError
from segmentation.inference.camera import TIME_BASE, Camera
from segmentation.inference.marks import MARK
from segmentation.inference.predict_ahead import predict_ahead
from segmentation.inference.predictor import Predictor
from segmentation.inference.video import Frame, VideoReader, VideoWriter
from segmentation.pictures import overlay
from segmentation.system.files import atomic_file

INCOMPLETE = "_incomplete"
"""What the name of a video ends in of which a part could not be read."""


def incomplete(target: Path) -> Path:
    """Return the name of a video that lacks a part."""
    return target.with_stem(target.stem + INCOMPLETE)


def predict_video(
    predictor: Predictor,
    source: Path,
    target: Path,
    mark: str,
    progress: Callable[[float, float | None], object],
    warn: Callable[[str], object],
) -> list[str]:
    """Write a video with the colours of the classes over its frames, their times and its sound.

    It is whole or not there. If a part of the source cannot be read, it has the other frames, and
    its name ends in `INCOMPLETE`.

    Args:
        predictor: of a model of RGB images that segments.
        source: the video.
        target: the MP4 to write.
        mark: see `segmentation.inference.marks`.
        progress: called with the seconds that are done and the seconds of all, if those are known.
        warn: called with what is different in the result.

    Returns:
        What could not be read of it.

    Raises:
        DataError: it is not a video, or not a frame of it can be read.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with VideoReader(source) as reader, atomic_file(incomplete(target)) as partial:
        comment = f"{MARK} {mark}"
        with VideoWriter(
            partial, reader.time_base, reader.rate, reader.sound, comment
        ) as writer:  # fmt: skip
            if writer.encoder == "mpeg4":
                warn(f"{target}: this FFmpeg has no encoder for H.264: written as MPEG-4.")
            if reader.sound is not None and not writer.has_sound:
                warn(f"{target} is without sound: MP4 does not take its kind.")
            write_frames(
                predictor, reader.read(), writer,
                lambda frame: progress(float(frame.pts * reader.time_base), reader.seconds),
            )  # fmt: skip
        if not writer.frames:
            reason = "; ".join(reader.problems) or "it has none"
            raise DataError(f"{source}: no frame can be read: {reason}.")
    if not reader.problems:
        incomplete(target).replace(target)
    return reader.problems


def predict_camera(
    predictor: Predictor, number: int, target: Path, progress: Callable[[float], object]
) -> int:
    """Write what a camera sees until Ctrl+C is pressed, or the camera gives no more frames.

    Args:
        predictor: of a model of RGB images that segments.
        number: of the camera, from 0.
        target: the MP4 to write.
        progress: called with the seconds that are done.

    Returns:
        The number of frames.

    Raises:
        DataError: there is no such camera, or it gives no frame.
    """
    with Camera(number) as camera, atomic_file(target) as partial:
        comment = f"{MARK} camera"
        with (
            VideoWriter(partial, TIME_BASE, camera.rate, None, comment) as writer,
            suppress(KeyboardInterrupt),
        ):
            write_frames(
                predictor, camera.read(), writer,
                lambda frame: progress(float(frame.pts * TIME_BASE)),
            )  # fmt: skip
        if not writer.frames:
            raise DataError(f"camera {number} gives no picture. Is it covered, or used elsewhere?")
    return writer.frames


def write_frames(
    predictor: Predictor,
    items: Iterable[object],
    writer: VideoWriter,
    progress: Callable[[Frame], object],
) -> None:
    """Write frames with the colours of their classes; what is no `Frame` is copied as it is."""
    assert predictor.classes is not None

    def image_of(item: object) -> Decoded | None:
        return Decoded(item.pixels) if isinstance(item, Frame) else None

    with closing(predict_ahead(predictor, items, image_of)) as results:
        for item, result in results:
            if isinstance(item, Frame):
                assert result is not None
                writer.write(overlay(item.pixels, result.mask, predictor.classes), item)
                progress(item)
            else:
                writer.copy(item)
