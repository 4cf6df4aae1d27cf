"""Read and write videos: frames upright and at their own times, sound as it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.errors import DataError

VIDEO_SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts",
    ".wmv", ".flv", ".ogv", ".3gp",
}  # fmt: skip
CONTAINERS = "mov,matroska,avi,mpegts,mpeg,asf,flv,ogg"
"""FFmpeg's readers of `VIDEO_SUFFIXES`, whatever a file is called: others, such as those of
playlists, open files and addresses elsewhere."""
ENCODERS = ("libx264", "mpeg4")
"""The first that FFmpeg has: H.264, else what every FFmpeg has."""
MOST_TICKS = 65535
"""The finest division of a second that MPEG-4 has, and a division that common frame rates fit."""
COARSE = Fraction(1, 30000)
MISSING_END = 1.0
"""Seconds between the end of a video and that in its header, from which it ends too early."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of a video.

    Attributes:
        pixels: `uint8` RGB (H, W, 3), upright.
        pts: when it is shown, in units of `VideoReader.time_base`.
        duration: how long it is shown, in the same units; 0: unknown.
    """

    pixels: np.ndarray
    pts: int
    duration: int


class VideoReader:
    """A video that is read from its beginning to its end; a context manager.

    Args:
        path: the file.

    Attributes:
        time_base: the unit of times, in seconds.
        rate: frames in a second, on average.
        seconds: how long it is by its header; None: unknown.
        sound: the stream of the sound; None for none.
        problems: what could not be read of it so far.

    Raises:
        DataError: it is not a video, or FFmpeg has no decoder for it.
    """

    def __init__(self, path: Path) -> None:
        import av

        self.path = path
        self.problems: list[str] = []
        if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
            raise DataError(f"{path} is not a file.")
        if path.exists() and not path.stat().st_size:
            raise DataError(f"{path} is empty. Replace or remove the file.")
        try:
            self._file = av.open(
                str(path), container_options={"format_whitelist": CONTAINERS},
                metadata_errors="replace",
            )  # fmt: skip
        except av.error.FFmpegError as error:
            reason = error.strerror or str(error)
            raise DataError(
                f"{path} cannot be read as a video: {reason}. It is not one, or its recording was "
                "cut off before its index was written. Replace or remove the file."
            ) from error
        try:
            self._stream = self._choose()
        except DataError:
            self._file.close()
            raise
        self._stream.thread_type = "AUTO"
        self.time_base: Fraction = self._stream.time_base
        self.rate: Fraction = self._stream.average_rate or Fraction(25)
        self.sound: Any = self._file.streams.best("audio")
        length = self._file.duration
        self.seconds = None if length is None else length / av.time_base
        start = self._file.start_time
        self._start = 0.0 if start is None else start / av.time_base

    def _choose(self) -> Any:
        stream = self._file.streams.best("video")
        if stream is None:
            raise DataError(f"{self.path} has no pictures, only {self._kinds()}.")
        if stream.codec_context is None:
            raise DataError(
                f"{self.path}: this FFmpeg has no decoder for its pictures. Convert it on a "
                "machine that plays it: ffmpeg -i IN -c:v libx264 -c:a copy OUT.mp4"
            )
        return stream

    def _kinds(self) -> str:
        return ", ".join(sorted({stream.type for stream in self._file.streams})) or "no streams"

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self) -> Iterator[Any]:
        """Yield each `Frame`, and the packets of the sound, in the order of the file.

        What is damaged is left out and told of by `problems`.
        """
        self._end, self._last, self._size = 0.0, -(1 << 62), (0, 0)
        broken: list[float] = []
        streams = [self._stream, *([self.sound] if self.sound else [])]
        for packet in self._packets(streams):
            if packet.stream is self.sound:
                if packet.dts is not None:
                    yield packet
                continue
            decoded = self._decode(packet)
            if decoded is None:
                broken.append(max(float(self._last * self.time_base) - self._start, 0))
            for frame in decoded or ():
                if (converted := self._convert(frame)) is not None:
                    yield converted
        if broken:
            self.problems.append(
                f"{len(broken)} pieces cannot be decoded, the first after {broken[0]:.1f} s"
            )
        if self.seconds is not None and self._end < self.seconds - MISSING_END:
            self.problems.append(f"it ends at {self._end:.1f} s of {self.seconds:.1f} s")

    def _packets(self, streams: list[Any]) -> Iterator[Any]:
        import av

        packets = self._file.demux(*streams)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                self.problems.append(f"it cannot be read on: {error.strerror}")
                return
            if packet.pts is not None:
                end = packet.pts + (packet.duration or 0)
                self._end = max(self._end, float(end * packet.time_base) - self._start)
            yield packet

    def _decode(self, packet: Any) -> list[Any] | None:
        import av

        try:
            return packet.decode()
        except av.error.FFmpegError:
            return None

    def _convert(self, frame: Any) -> Frame | None:
        """Return a decoded frame; None for one that is not later than the frame before it."""
        if frame.pts is None:
            return None
        if frame.pts <= self._last:
            return None
        self._last = frame.pts
        height, width = self._size = self._size if any(self._size) else (frame.height, frame.width)
        pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
        turns = round(frame.rotation / 90) % 4
        return Frame(np.ascontiguousarray(np.rot90(pixels, turns)), frame.pts, frame.duration or 0)


class VideoWriter:
    """Writes an MP4: H.264 where FFmpeg has an encoder for it, else MPEG-4.

    Args:
        path: the file; it is not whole until the end of the block.
        time_base: the unit of the frames' times, in seconds.
        rate: frames in a second, on average.
        sound: a stream whose packets are to be copied; None: no sound.
        comment: a text for its header.

    Attributes:
        encoder: its name.
        has_sound: whether the sound is kept: MP4 takes most kinds.
        frames: number of frames so far.
    """

    def __init__(
        self, path: Path, time_base: Fraction, rate: Fraction, sound: Any, comment: str
    ) -> None:
        import av

        self.encoder = next(name for name in ENCODERS if name in av.codecs_available)
        self.frames = 0
        self._file = av.open(str(path), "w", format="mp4")
        self._file.metadata["comment"] = comment
        self._time_base, self._rate = time_base, rate
        self._video: Any = None
        known = sound is not None and sound.codec_context is not None
        self.has_sound = known and sound.codec_context.name in self._file.supported_codecs
        self._sound: Any = self._file.add_stream_from_template(sound) if self.has_sound else None
        self._waiting: list[Any] = []

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, *error: object) -> None:
        if self._video is not None and error[0] is None:
            self._file.mux(self._video.encode(None))
        self._file.close()

    def write(self, picture: np.ndarray, frame: Frame) -> None:
        """Write a picture, `uint8` RGB (H, W, 3), at the time of a frame.

        An odd height or width loses its last row or column, as the encoders need it.
        """
        import av

        height, width = (length - length % 2 for length in picture.shape[:2])
        if self._video is None:
            self._start(height, width)
        image = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(picture[:height, :width]), format="rgb24"
        )
        image.pts, image.time_base, image.duration = frame.pts, self._time_base, frame.duration
        self._file.mux(self._video.encode(image))
        self.frames += 1

    def copy(self, packet: Any) -> None:
        """Write a packet of the sound as it is."""
        if self._sound is None:
            return
        if self._video is None:  # the file's header tells of the pictures
            self._waiting.append(packet)
            return
        packet.stream = self._sound
        self._file.mux(packet)

    def _start(self, height: int, width: int) -> None:
        options = {"preset": "veryfast", "crf": "20"} if self.encoder == "libx264" else {}
        video: Any = self._file.add_stream(self.encoder, self._rate, options=options)
        self._video = video
        video.height, video.width, video.pix_fmt = height, width, "yuv420p"
        coarse = self.encoder == "mpeg4" and self._time_base.denominator > MOST_TICKS
        video.codec_context.time_base = COARSE if coarse else self._time_base
        if self.encoder == "mpeg4":
            video.bit_rate = int(height * width * float(self._rate) / 5)
        waiting, self._waiting = self._waiting, []
        for packet in waiting:
            self.copy(packet)


def read_comment(path: Path) -> str:
    """Return the comment in the header of a video; empty for any other file, or without PyAV."""
    try:
        import av

        options = {"format_whitelist": CONTAINERS}
        with av.open(str(path), container_options=options, metadata_errors="replace") as file:
            return file.metadata.get("comment", "")
    except (ImportError, OSError, ValueError):  # the latter two are FFmpeg's
        return ""
