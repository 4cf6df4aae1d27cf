"""Videos are read upright and written at their own times, with their own sound."""

from fractions import Fraction

import av
import numpy as np
import pytest
from made_videos import make_video, sound_of, times_of

from segmentation.errors import DataError
from segmentation.inference.video import Frame, VideoReader, VideoWriter, read_comment


def copy(source, target):
    """Write a video's own frames and sound; return what could not be read."""
    with (
        VideoReader(source) as reader,
        VideoWriter(target, reader.time_base, reader.rate, reader.sound, "abc") as writer,
    ):
        for item in reader.read():
            if isinstance(item, Frame):
                writer.write(item.pixels, item)
            else:
                writer.copy(item)
    return reader.problems


@pytest.mark.parametrize(
    ("name", "codec", "sound"),
    [
        ("a.mp4", "libx264", "aac"),
        ("a.mov", "libx264", "pcm_s16le"),
        ("a.mkv", "libx264", "libmp3lame"),
        ("a.avi", "mpeg4", "pcm_s16le"),
        ("a.webm", "libvpx", "libopus"),
    ],
)
def test_sound_and_times_stay(tmp_path, name, codec, sound):
    source = make_video(tmp_path / name, codec=codec, sound=sound)
    assert copy(source, tmp_path / "out.mp4") == []
    assert len(sound_of(source)) > 5
    assert sound_of(tmp_path / "out.mp4") == sound_of(source)
    assert times_of(tmp_path / "out.mp4") == times_of(source)
    assert read_comment(tmp_path / "out.mp4") == "abc"
    assert read_comment(source) == ""


def test_frames_at_uneven_times_stay_there(tmp_path):
    times = [0, 40, 80, 500, 505, 1300, 1301, 2000]
    source = make_video(tmp_path / "a.mkv", times)
    copy(source, tmp_path / "out.mp4")
    assert times_of(tmp_path / "out.mp4") == [time / 1000 for time in times]


def test_without_h264_it_is_mpeg4(tmp_path, monkeypatch):
    source = make_video(tmp_path / "a.mp4")
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    with VideoReader(source) as reader, VideoWriter(
        tmp_path / "out.mp4", Fraction(1, 90000), reader.rate, None, "abc"
    ) as writer:  # fmt: skip
        assert (writer.encoder, writer.has_sound) == ("mpeg4", False)
        for number, item in enumerate(item for item in reader.read() if isinstance(item, Frame)):
            writer.write(item.pixels, Frame(item.pixels, number * 3600, 3600))
    assert times_of(tmp_path / "out.mp4") == times_of(source)


@pytest.mark.parametrize("rotation", [-90, 90, 180])
def test_a_turned_video_is_read_upright(tmp_path, rotation):
    source = make_video(tmp_path / "a.mp4", rotation=rotation)
    with VideoReader(source) as reader:
        frame = next(item for item in reader.read() if isinstance(item, Frame))
    bright = frame.pixels[..., 0] > 128
    # The left half is bright as stored: at the top when turned clockwise, and so on
    half = {-90: bright[:32].all(), 90: bright[32:].all(), 180: bright[:, 32:].all()}
    assert half[rotation]
    assert bright.mean() == 0.5
    assert frame.pixels.shape == ((48, 64, 3) if rotation == 180 else (64, 48, 3))
    copy(source, tmp_path / "out.mp4")
    with VideoReader(tmp_path / "out.mp4") as reader:
        again = next(item for item in reader.read() if isinstance(item, Frame))
    assert np.abs(again.pixels.astype(int) - frame.pixels).mean() < 5


def test_an_odd_size_loses_a_row(tmp_path):
    pixels = np.zeros((47, 63, 3), np.uint8)
    with VideoWriter(tmp_path / "a.mp4", Fraction(1, 25), Fraction(25), None, "") as writer:
        writer.write(pixels, Frame(pixels, 0, 1))
    with av.open(str(tmp_path / "a.mp4")) as file:
        assert (file.streams.video[0].height, file.streams.video[0].width) == (46, 62)


def test_a_video_that_ends_early_is_read_so_far(tmp_path):
    source = make_video(tmp_path / "a.mkv", range(0, 8000, 40), size=(96, 128))
    content = source.read_bytes()
    source.write_bytes(content[: len(content) // 2])
    (problem,) = copy(source, tmp_path / "out.mp4")
    assert problem.startswith("it ends at ")
    assert problem.endswith("s of 8.0 s")
    assert 20 < len(times_of(tmp_path / "out.mp4")) < 190


def test_a_video_that_is_damaged_in_the_middle_goes_on_behind_it(tmp_path):
    source = make_video(tmp_path / "a.mkv", range(0, 4000, 40), codec="mpeg4", sound=None)
    with av.open(str(source)) as file:
        packets = [bytes(packet) for packet in file.demux(video=0) if packet.size]
    content = bytearray(source.read_bytes())
    for packet in packets[50:53]:
        start = content.index(packet)
        content[start : start + len(packet)] = bytes(len(packet))
    source.write_bytes(content)
    (problem,) = copy(source, tmp_path / "out.mp4")
    assert problem == "3 pieces cannot be decoded, the first after 2.0 s"
    assert len(times_of(tmp_path / "out.mp4")) == 97


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello", "cannot be read as a video: .*It is not one, or its recording was cut off"),
        (b"#EXTM3U\n#EXTINF:1,\nother.mp4\n", "cannot be read as a video"),
    ],
)
def test_no_video(tmp_path, content, message):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.mp4 {message}"):
        VideoReader(path)


def test_other_files_that_are_no_videos(tmp_path):
    with pytest.raises(DataError, match=r"absent\.mp4 cannot be read as a video: No such file"):
        VideoReader(tmp_path / "absent.mp4")
    whole = make_video(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="its recording was cut off before its index was written"):
        VideoReader(tmp_path / "cut.mp4")
    (tmp_path / "other.mp4").write_bytes(whole.replace(b"avc1", b"zzzz"))
    with pytest.raises(DataError, match=r"other\.mp4: this FFmpeg has no decoder for its pictures"):
        VideoReader(tmp_path / "other.mp4")
    with av.open(str(tmp_path / "sound.mp4"), "w") as file:
        voice = file.add_stream("aac", rate=16000, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.int16), "s16", "mono")
        samples.sample_rate = 16000
        file.mux(voice.encode(samples))
        file.mux(voice.encode(None))
    with pytest.raises(DataError, match=r"sound\.mp4 has no pictures, only audio"):
        VideoReader(tmp_path / "sound.mp4")


def test_a_sound_that_mp4_does_not_take_is_told_of(tmp_path):
    source = make_video(tmp_path / "a.avi", codec="mpeg4", sound="adpcm_ms")
    with VideoReader(source) as reader, VideoWriter(
        tmp_path / "out.mp4", reader.time_base, reader.rate, reader.sound, ""
    ) as writer:  # fmt: skip
        assert not writer.has_sound
        for item in reader.read():
            if isinstance(item, Frame):
                writer.write(item.pixels, item)
            else:
                writer.copy(item)
    assert len(times_of(tmp_path / "out.mp4")) == writer.frames == 30
    assert read_comment(tmp_path / "absent.mp4") == ""
