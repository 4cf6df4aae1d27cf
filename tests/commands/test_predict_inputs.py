"""What predict.py takes: patterns, lists, videos, cameras, TIFFs with coordinates; and what not."""

import errno
import json
import re
import time
import weakref

import cv2
import numpy as np
import pytest
import rasterio
from fakes import CLASSES
from made_videos import make_video, sound_of, times_of
from PIL import Image
from predicting import OPTIONS, picture, predict, tiny_model  # noqa: F401

from segmentation.inference.marks import mark_of


def succeed(model, source, output, *more):
    done = predict(model, source, output, *more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def fail(model, source, output, *more):
    done = predict(model, source, output, *more)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


# Images


def test_a_pattern_keeps_the_folders_below_it(model, tmp_path):
    for name in ("in/a/1.jpg", "in/b/1.jpg", "in/b/2.png", "in/b/notes.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch() if name.endswith("md") else picture(tmp_path / name)
    succeed(model, f"{tmp_path}/in/**/*.*", tmp_path / "out")
    assert names(tmp_path / "out") == ["a/1.png", "b/1.png", "b/2.png"]
    succeed(model, f"{tmp_path}/in/b/?.jpg", tmp_path / "one")
    assert names(tmp_path / "one") == ["1.png"]
    assert "no image or video matches" in fail(model, f"{tmp_path}/in/*.tif", tmp_path / "none")


def test_a_list_names_files_from_its_own_folder_on(model, tmp_path):
    picture(tmp_path / "x/1.jpg"), picture(tmp_path / "y/2.jpg")
    listing = tmp_path / "list.txt"
    listing.write_text(f"# mine\n\nx/1.jpg\n{tmp_path}/y/2.jpg\nx/1.jpg\n")
    succeed(model, listing, tmp_path / "out")
    assert names(tmp_path / "out") == ["x/1.png", "y/2.png"]
    listing.write_text("x/1.jpg\nx/3.jpg\n")
    assert "1 of 2 images cannot be read:" in (error := fail(model, listing, tmp_path / "out"))
    assert "x/3.jpg does not exist." in error
    listing.write_text("# nothing\n")
    assert "list.txt names no file" in fail(model, listing, tmp_path / "out")


def test_confidence_is_a_grey_picture(model, tmp_path):
    image = picture(tmp_path / "a.jpg")
    succeed(model, image, tmp_path / "out", "confidence=true", "overlay=true")
    assert names(tmp_path / "out") == ["a.png", "a_confidence.png", "a_overlay.png"]
    values = np.array(Image.open(tmp_path / "out/a_confidence.png"))
    assert (values.dtype, values.shape) == (np.uint8, (32, 48))
    assert values.min() >= 255 // len(CLASSES)  # the largest of so many shares
    kept = succeed(model, image, tmp_path / "out", "confidence=true", "overlay=true").stdout
    assert "3 files of an earlier run" in kept


@pytest.mark.parametrize("kind", ["coco", "labelme", "yolo", "geojson"])
def test_polygons_of_kept_masks_too_but_no_edited_ones(model, tmp_path, kind):
    picture(tmp_path / "in/a.jpg")
    source, out = tmp_path / "in", tmp_path / "out"
    done = succeed(model, source, out, f"polygons={kind}")
    assert ("in pixels from the top left" in done.stdout) == (kind == "geojson")
    file = {
        "coco": "coco/instances.json", "labelme": "labelme/a.json",
        "yolo": "yolo/labels/a.txt", "geojson": "geojson/a.geojson",
    }[kind]  # fmt: skip
    first = (out / file).read_text()
    assert len(first) > 200
    picture(source / "b.jpg", 1)
    assert "1 files of an earlier run" in succeed(model, source, out, f"polygons={kind}").stdout
    if kind == "coco":
        values = json.loads((out / file).read_text())
        assert [image["file_name"] for image in values["images"]] == ["a.jpg", "b.jpg"]
        assert {one["image_id"] for one in values["annotations"]} == {1, 2}
    else:
        assert (out / file).read_text() == first
    (out / file).write_text(first + " ")
    error = fail(model, source, out, f"polygons={kind}")
    assert f"holds 1 files that predict did not write and would replace: {file}." in error
    assert (out / file).read_text() == first + " "


def test_an_unknown_kind_of_polygons_or_a_negative_tolerance(model, tmp_path):
    image = picture(tmp_path / "a.jpg")
    error = fail(model, image, tmp_path, "polygons=labelm")
    assert "use coco, labelme, yolo, geojson or null. Did you mean 'labelme'?" in error
    assert "polygons_tolerance" in fail(model, image, tmp_path, "polygons_tolerance=-1")


# Coordinates


def geotiff(path, orientation=None):
    transform = rasterio.Affine(10, 0, 600000, 0, -10, 5800000)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 48), dtype=np.uint8)
    with rasterio.open(
        path, "w", "GTiff", count=3, height=32, width=48, dtype="uint8", crs="EPSG:32632",
        transform=transform, photometric="RGB",
    ) as file:  # fmt: skip
        file.write(pixels)
    return path


def test_the_mask_of_a_tiff_with_coordinates_has_them(model, tmp_path):
    path = geotiff(tmp_path / "a.tif")
    succeed(model, path, tmp_path / "out", "overlay=true", "polygons=geojson")
    assert names(tmp_path / "out") == [
        "a.tif", "a_overlay.png", "geojson/a.geojson", "geojson/written.sha256",
    ]  # fmt: skip
    with rasterio.open(path) as image, rasterio.open(tmp_path / "out/a.tif") as mask:
        assert (mask.crs, mask.transform, mask.shape) == (image.crs, image.transform, image.shape)
        labels = mask.read(1)
        assert mask.colormap(1)[0][:3] == CLASSES.colors[0]
    Image.open(path).save(tmp_path / "plain.png")
    succeed(model, tmp_path / "plain.png", tmp_path / "plain")
    assert np.array_equal(labels, np.array(Image.open(tmp_path / "plain/plain.png")))
    features = json.loads((tmp_path / "out/geojson/a.geojson").read_text())["features"]
    longitude, latitude = features[0]["geometry"]["coordinates"][0][0]
    assert 10.4 < longitude < 10.5
    assert 52.3 < latitude < 52.4
    assert (
        "2 files of an earlier run" in succeed(model, path, tmp_path / "out", "overlay=true").stdout
    )


def test_without_rasterio_a_tiff_with_coordinates_gets_a_png_and_a_warning(
    model, tmp_path, monkeypatch
):
    from segmentation.commands import predict as command

    path = geotiff(tmp_path / "a.tif")
    monkeypatch.setattr(
        command, "explain_missing", lambda extra, feature: f"{feature} needs [{extra}]."
    )
    done = succeed(model, path, tmp_path / "out")
    assert "a mask with coordinates needs [geo]. Masks are PNGs without coordinates" in done.stdout
    assert names(tmp_path / "out") == ["a.png"]


def test_world_files_are_carried_along(model, tmp_path):
    picture(tmp_path / "in/a.jpg"), picture(tmp_path / "in/b.png")
    (tmp_path / "in/a.jgw").write_text("1\n0\n0\n-1\n100\n200\n")
    (tmp_path / "in/a.prj").write_text("GEOGCS[...]")
    succeed(model, tmp_path / "in", tmp_path / "out")
    assert names(tmp_path / "out") == ["a.pgw", "a.png", "a.prj", "b.png"]
    assert (tmp_path / "out/a.pgw").read_text().endswith("100\n200\n")
    succeed(model, tmp_path / "in", tmp_path / "out")
    (tmp_path / "out/a.pgw").write_text("mine")
    (tmp_path / "out/a.png").unlink()
    error = fail(model, tmp_path / "in", tmp_path / "out")
    assert "would replace: a.pgw" in error
    assert (tmp_path / "out/a.pgw").read_text() == "mine"


# Videos


def test_a_video_with_its_sound_and_times(model, tmp_path):
    video = make_video(tmp_path / "in/street.mp4", [0, 40, 100, 500, 540, 900])
    done = succeed(model, video, tmp_path / "out")
    assert "1 videos written" in done.stdout
    assert names(tmp_path / "out") == ["street.mp4"]
    assert times_of(tmp_path / "out/street.mp4") == times_of(video)
    assert sound_of(tmp_path / "out/street.mp4") == sound_of(video)
    before = (tmp_path / "out/street.mp4").stat().st_mtime_ns
    assert "1 files of an earlier run" in succeed(model, video, tmp_path / "out").stdout
    assert (tmp_path / "out/street.mp4").stat().st_mtime_ns == before


def test_a_folder_of_videos_by_a_pattern_and_a_foreign_one(model, tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    make_video(source / "a.mkv", [0, 40]), make_video(source / "b.avi", [0, 40], codec="mpeg4")
    picture(source / "c.jpg")
    (source / "only").mkdir()
    make_video(source / "only/d.mp4", [0, 40])
    assert "For its videos, type input='" in fail(model, source / "only", out)
    done = succeed(model, f"{source}/*.*", out, "confidence=true")
    assert "confidence and polygons are of images alone" in done.stdout
    assert names(out) == ["a.mp4", "b.mp4", "c.png", "c_confidence.png"]
    make_video(out / "d.mp4", [0, 40])
    error = fail(model, source / "only/d.mp4", out)
    assert "would replace: d.mp4" in error
    assert "would overwrite input" in fail(model, source / "only/d.mp4", source / "only")


def test_a_video_that_ends_early_keeps_its_frames_and_is_named(model, tmp_path):
    video = make_video(tmp_path / "a.mkv", range(0, 8000, 40), size=(64, 96))
    whole = video.read_bytes()
    video.write_bytes(whole[: len(whole) // 2])
    picture(tmp_path / "b.jpg")
    error = fail(model, f"{tmp_path}/?.*", tmp_path / "out")
    assert "1 of 2 files cannot be read:" in error
    assert "it ends at " in error
    assert f"Its other frames are in {tmp_path}/out/a_incomplete.mp4." in error
    assert names(tmp_path / "out") == ["a_incomplete.mp4", "b.png"]
    assert len(times_of(tmp_path / "out/a_incomplete.mp4")) > 20
    video.write_bytes(whole)
    succeed(model, video, tmp_path / "out")
    assert names(tmp_path / "out") == ["a.mp4", "b.png"]


def test_a_video_is_whole_or_not_there(model, tmp_path, monkeypatch):
    from segmentation.inference.video import VideoWriter

    video = make_video(tmp_path / "a.mp4")
    real = VideoWriter.write

    def write(self, picture, frame):
        if frame.pts * float(self._time_base) > 0.5:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, picture, frame)

    monkeypatch.setattr(VideoWriter, "write", write)
    assert "the disk is full" in fail(model, video, tmp_path / "out")
    assert names(tmp_path / "out") == []


def test_without_pyav_the_extra_is_named(model, tmp_path, monkeypatch):
    from segmentation.system import packages

    video = make_video(tmp_path / "a.mp4", [0, 40])
    monkeypatch.setattr(packages, "missing_packages", lambda extra: ["av"])
    for source in (video, "camera"):
        error = fail(model, source, tmp_path / "out")
        assert "needs av, which is not installed. Type pip install 'cityseg[video]'." in error


class FakeCamera:
    """In place of a camera: five frames, and then somebody presses Ctrl+C."""

    frames, opened = 5, True

    def __init__(self, number):
        self.left = self.frames

    def isOpened(self):  # noqa: N802
        return self.opened

    def get(self, key):
        return 30.0

    def read(self):
        time.sleep(0.01)
        self.left -= 1
        if self.left < 0:
            return False, None
        blue = np.zeros((48, 64, 3), np.uint8)
        blue[..., 0] = 255
        return True, blue

    def release(self):
        self.left = 0


def test_a_camera_is_recorded(model, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera)
    done = succeed(model, "camera:1", tmp_path / "out")
    (name,) = names(tmp_path / "out")
    assert name.startswith("camera_1_2")
    assert "5 frames written to" in done.stdout
    times = times_of(tmp_path / "out" / name)
    assert len(times) == 5
    assert times == sorted(set(times))
    assert mark_of(tmp_path / "out" / name) == "camera"


def test_ctrl_c_ends_the_recording_of_a_camera(model, tmp_path, monkeypatch):
    from segmentation.inference.video import VideoWriter

    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera)
    monkeypatch.setattr(FakeCamera, "frames", 10**6)
    real = VideoWriter.write

    def write(self, picture, frame):
        real(self, picture, frame)
        if self.frames == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(VideoWriter, "write", write)
    assert "3 frames written to" in succeed(model, "camera", tmp_path / "out").stdout
    (name,) = names(tmp_path / "out")
    assert len(times_of(tmp_path / "out" / name)) == 3


def test_no_camera_or_one_without_a_picture(model, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera)
    monkeypatch.setattr(FakeCamera, "frames", 0)
    assert "camera 0 gives no picture" in fail(model, "camera:0", tmp_path / "out")
    monkeypatch.setattr(FakeCamera, "opened", False)
    assert "no camera 7 can be opened: there is none" in fail(model, "camera:7", tmp_path / "out")
    assert names(tmp_path / "out") == []


# Bad images


def cmyk(path):
    Image.new("CMYK", (48, 32), (10, 20, 30, 40)).save(path)


def turned(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(path, exif=exif)


def opaque(path):
    Image.new("RGBA", (48, 32), (9, 9, 9, 255)).save(path)


@pytest.mark.parametrize(
    ("name", "make", "shape"),
    [("a.jpg", cmyk, (32, 48)), ("a.jpg", turned, (48, 32)), ("a.png", opaque, (32, 48))],
)
def test_odd_images_are_predicted_upright(model, tmp_path, name, make, shape):
    make(tmp_path / name)
    succeed(model, tmp_path / name, tmp_path / "out", "overlay=true")
    for file in ("a.png", "a_overlay.png"):
        assert np.array(Image.open(tmp_path / "out" / file)).shape[:2] == shape


def truncated(path):
    picture(path, size=(100, 300))
    path.write_bytes(path.read_bytes()[:4000])


def moving(path):
    first, *others = (Image.new("RGB", (48, 32), (50 * k, 0, 0)) for k in range(3))
    first.save(path, save_all=True, append_images=others)


def clear(path):
    Image.new("RGBA", (48, 32), (9, 9, 9, 100)).save(path)


def deep(path):
    Image.fromarray(np.full((32, 48), 40000, np.uint16)).save(path)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.jpg", lambda path: path.write_text("no image"), "cannot be read: cannot identify"),
        ("a.png", truncated, "cannot be read: .*truncated"),
        ("a.jpg", lambda path: path.touch(), "cannot be read"),
        ("a.png", deep, r"is not an 8-bit RGB image: .* save it as that\."),
        ("a.png", clear, "is transparent in places"),
        ("a.webp", moving, r"is an animation\. Convert it to a video, .*ffmpeg -i a\.webp a\.mp4"),
        ("a.png", moving, "is an animation"),
        ("a.jpg", lambda path: picture(path, size=(200, 300)), "more than max_pixels=50000"),
    ],
)
def test_bad_images_are_named_and_the_others_done(model, tmp_path, name, make, message):
    source, out = tmp_path / "in", tmp_path / "out"
    picture(source / "good.jpg"), picture(source / "well.jpg", 1)
    make(source / name)
    error = fail(model, source, out, "max_pixels=50000")
    assert "1 of 3 images cannot be read:" in error
    assert re.search(message, error)
    assert "data." not in error.replace("data.channels=[1,2,3,4]", "")
    assert names(out) == ["good.png", "well.png"]


def test_a_full_disk_ends_with_a_message_and_keeps_what_is_done(model, tmp_path, monkeypatch):
    from segmentation.inference import prediction_files

    for index in range(6):
        picture(tmp_path / f"in/{index}.jpg", index)
    real, count = prediction_files.write_marked, []

    def write(path, *more):
        count.append(path)
        if len(count) > 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(path, *more)

    monkeypatch.setattr(prediction_files, "write_marked", write)
    assert "the disk is full" in fail(model, tmp_path / "in", tmp_path / "out")
    assert names(tmp_path / "out") == ["0.png", "1.png", "2.png"]
    monkeypatch.setattr(prediction_files, "write_marked", real)
    assert "3 masks written" in succeed(model, tmp_path / "in", tmp_path / "out").stdout


def test_a_folder_that_may_not_be_written_to(model, tmp_path, monkeypatch):
    picture(tmp_path / "a.jpg")
    real = type(tmp_path).mkdir

    def mkdir(self, *more, **options):
        if self.name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        real(self, *more, **options)

    monkeypatch.setattr(type(tmp_path), "mkdir", mkdir)
    error = fail(model, tmp_path / "a.jpg", tmp_path / "locked")
    assert f"output={tmp_path}/locked can't be made: Permission denied." in error


def test_an_error_in_a_thread_is_no_silence(model, tmp_path, monkeypatch):
    from segmentation.inference import predict_images

    picture(tmp_path / "a.jpg")

    def broken(path, reader):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(predict_images, "read_image", broken)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        predict(model, tmp_path / "a.jpg", tmp_path / "out")


def test_few_frames_are_alive_however_long_a_video_is(model, tmp_path, monkeypatch):
    from segmentation.inference.ahead import MOST_ITEMS
    from segmentation.inference.video import VideoReader, VideoWriter

    video = make_video(tmp_path / "a.mp4", range(0, 8000, 40), size=(32, 48))
    alive, counts = weakref.WeakSet(), []
    read, write = VideoReader._convert, VideoWriter.write

    def convert(self, frame):
        converted = read(self, frame)
        alive.add(converted)
        return converted

    def counted(self, picture, frame):
        counts.append(len(alive))
        write(self, picture, frame)

    monkeypatch.setattr(VideoReader, "_convert", convert)
    monkeypatch.setattr(VideoWriter, "write", counted)
    succeed(model, video, tmp_path / "out")
    assert len(counts) == 200
    assert max(counts) <= 2 * MOST_ITEMS + 5  # two steps, and one in each hand
