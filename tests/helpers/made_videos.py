"""Small videos with sound, made by PyAV."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

MS = Fraction(1, 1000)


def make_video(
    path: Path,
    times: list[int] | range = range(0, 1200, 40),
    size: tuple[int, int] = (48, 64),
    codec: str = "libx264",
    sound: str | None = "aac",
    rotation: int = 0,
) -> Path:
    """Write a video of a bright left half over a grey that rises by the frame.

    Args:
        path: the file; its suffix tells the container.
        times: of the frames, in milliseconds.
        size: (height, width).
        codec: of the pictures.
        sound: codec of the sound; None: no sound.
        rotation: degrees, counterclockwise, that players turn it by.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        video = file.add_stream(codec, rate=25, options={"g": "5"})
        video.height, video.width = size
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = MS
        if rotation:
            video.set_display_rotation(rotation)
        voice = file.add_stream(sound, rate=16000, layout="mono") if sound else None
        for number, time in enumerate(times):
            picture = np.full((*size, 3), number * 5 % 200, np.uint8)
            picture[:, : size[1] // 2] = 255
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = time, MS
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        if voice is not None:
            wave = np.sin(np.arange(times[-1] * 16) / 20) * 8000
            samples = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], "s16", "mono")
            samples.sample_rate, samples.pts = 16000, 0
            file.mux(voice.encode(samples))
            file.mux(voice.encode(None))
    return path


def sound_of(path: Path) -> list[bytes]:
    """Return the packets of a video's sound."""
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.size]


def times_of(path: Path) -> list[float]:
    """Return the times of a video's frames, in seconds."""
    with av.open(str(path)) as file:
        return [round(frame.time, 3) for frame in file.decode(video=0)]
