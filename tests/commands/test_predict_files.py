"""predict.py replaces nothing that it did not write, and goes on where it was interrupted."""

import os
import signal
import subprocess
import sys
import time

import pytest
from commands import succeed
from conftest import ROOT
from PIL import Image
from predicting import OPTIONS, picture, predict, tiny_model  # noqa: F401

from segmentation.inference import predict_images
from segmentation.inference.marks import mark_of


def kept(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("mine", ["a.png", "a_overlay.png"])
def test_a_file_of_the_users_is_left_alone(model, tmp_path, mine):
    image = picture(tmp_path / "a.jpg")
    picture(tmp_path / mine, seed=1)
    before = kept(tmp_path)
    refused = predict(model, image, tmp_path, "overlay=true")
    assert refused.returncode == 1
    assert f"holds 1 files that predict did not write and would replace: {mine}." in refused.stderr
    assert kept(tmp_path) == before
    assert predict(model, image, tmp_path, "overlay=true", "overwrite=true").returncode == 0
    assert mark_of(tmp_path / mine)
    assert kept(tmp_path)["a.jpg"] == before["a.jpg"]


def test_its_own_files_are_replaced_but_no_hard_link_of_them(model, tmp_path):
    image, out = picture(tmp_path / "in" / "a.jpg"), tmp_path / "out"
    assert predict(model, image, out).returncode == 0
    os.link(out / "a.png", tmp_path / "backup.png")
    before = (out / "a.png").read_bytes()
    picture(image, seed=5)
    assert predict(model, image, out).returncode == 0
    assert (out / "a.png").read_bytes() != before
    assert (tmp_path / "backup.png").read_bytes() == before


def test_no_image_is_replaced_whatever_is_typed(model, tmp_path):
    image = picture(tmp_path / "a.png")
    before = image.read_bytes()
    refused = predict(model, tmp_path, tmp_path, "overwrite=true")
    assert "would overwrite input images" in refused.stderr
    assert image.read_bytes() == before


def test_a_mask_and_an_overlay_of_one_name_are_refused(model, tmp_path):
    picture(tmp_path / "in" / "a.jpg")
    picture(tmp_path / "in" / "a_overlay.jpg")
    refused = predict(model, tmp_path / "in", tmp_path / "out", "overlay=true")
    assert "would be the mask of one image and the overlay of another" in refused.stderr
    assert predict(model, tmp_path / "in", tmp_path / "out").returncode == 0


@pytest.mark.parametrize("where", ["out", "in"])
def test_a_repeated_command_predicts_what_is_missing(model, tmp_path, monkeypatch, where):
    for index in range(3):
        picture(tmp_path / "in" / f"{index}.jpg", index)
    out = tmp_path / where
    assert predict(model, tmp_path / "in", out).returncode == 0
    first = kept(out)
    (out / "1.png").unlink()
    done = []
    real = predict_images.read_image
    monkeypatch.setattr(
        predict_images,
        "read_image",
        lambda path, reader: (done.append(path.name), real(path, reader))[1],
    )
    again = predict(model, tmp_path / "in", out)
    assert done == ["1.jpg"]
    assert "2 files of an earlier run with the same model and options are kept" in again.stdout
    assert kept(out) == first
    done.clear()
    picture(tmp_path / "in" / "2.jpg", 9)  # another image
    (out / "0.png").write_bytes(first["0.png"][:60])
    assert predict(model, tmp_path / "in", out).returncode == 1
    assert done == []
    (out / "0.png").unlink()
    predict(model, tmp_path / "in", out)
    assert done == ["0.jpg", "2.jpg"]
    done.clear()
    predict(model, tmp_path / "in", out, "flip=true")
    assert done == ["0.jpg", "1.jpg", "2.jpg"]


def test_strange_files_are_named_at_the_end_and_the_others_predicted(model, tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    good = picture(source / "deep" / "good.jpg")
    (source / "deep" / "loop").symlink_to(source)
    (source / "self.jpg").symlink_to(source / "self.jpg")
    (source / "gone.jpg").symlink_to(source / "nothing")
    os.mkfifo(source / "pipe.png")
    os.mkfifo(source / "stream.tif")
    (source / "empty.bmp").touch()
    picture(source / ("x" * 250 + ".jpg"))
    (source / os.fsdecode(b"\xff.jpg")).write_bytes(good.read_bytes())
    done = predict(model, source, out, "overlay=true")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert written == {"deep/good.png", "deep/good_overlay.png", "x" * 250 + ".png"}
    assert "6 of 7 images cannot be read" in done.stderr


def test_a_folder_that_cannot_be_read_is_named_at_the_end(model, tmp_path, monkeypatch):
    source, out = tmp_path / "in", tmp_path / "out"
    picture(source / "a.jpg")
    (source / "locked").mkdir()
    real = os.scandir

    def scandir(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    done = predict(model, source, out)
    assert (done.returncode, (out / "a.png").is_file()) == (1, True)
    assert f"{source / 'locked'} cannot be read: Permission denied" in done.stderr


def test_a_table_of_somebody_else_is_left_alone(tmp_path):
    from segmentation.inference.prediction_files import PredictionFiles
    from segmentation.targets import TargetColumns

    columns = TargetColumns("scene", ("bright", "dark"), ("brightness",), (100.0,), (20.0,))
    files = PredictionFiles(tmp_path, None, columns, (), {})
    table = tmp_path / "target_predictions.csv"
    for content in ("mine,too\n", "", "image,scene\n"):
        table.write_text(content)
        assert files.foreign({tmp_path / "a.jpg": "a"}) == [table]
    table.write_text("image,scene,scene_probability,brightness\n")
    assert files.foreign({tmp_path / "a.jpg": "a"}) == []


@pytest.mark.slow
def test_a_killed_command_leaves_no_half_mask(model, tmp_path):
    for index in range(40):
        picture(tmp_path / "in" / f"{index}.jpg", index)
    words = [f"model={model}", f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}", *OPTIONS]
    child = subprocess.Popen([sys.executable, str(ROOT / "predict.py"), *words, "flip=true"])
    until = time.monotonic() + 120
    while time.monotonic() < until and len(list((tmp_path / "out").glob("*.png"))) < 3:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    masks = list((tmp_path / "out").glob("*.png"))
    assert 3 <= len(masks) < 40
    for mask in masks:
        with Image.open(mask) as opened:
            opened.load()
    again = succeed("predict.py", *words, "flip=true")
    assert f"{40 - len(masks)} masks written" in again.stdout
    assert len(list((tmp_path / "out").glob("*.png"))) == 40
