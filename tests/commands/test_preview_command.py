import os
import subprocess
import sys

import numpy as np
import pytest
from commands import run, succeed
from conftest import ROOT
from fakes import fake_camvid
from PIL import Image

from segmentation.classes import VOID, ClassTable
from segmentation.commands.preview import DARK, LIGHT, TILE, PreviewRow, diverse, preview_sheet
from segmentation.pictures import GAP, MARGIN, PAPER

SCRIPT = "preview.py"
CLASSES = ClassTable(("road", "sky"), ((200, 0, 0), (0, 0, 200)))


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    """Return the arguments that say fake data."""
    root = fake_camvid(tmp_path_factory.mktemp("camvid"), {"train": 6, "val": 1, "test": 1})
    return ["data=camvid", f"data.root={root}"]


def picture(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_a_sheet_shows_images_labels_and_void():
    image = np.full((160, 320, 3), 100, np.uint8)
    mask = np.zeros((160, 320), np.uint8)
    mask[:, 160:240], mask[:, 240:] = 1, VOID
    sheet = preview_sheet([PreviewRow("first", [(image, mask), (image[:80], mask[:80])])], CLASSES)
    assert sheet.shape[1] == 2 * TILE + GAP + 2 * MARGIN

    top = next(y for y in range(len(sheet)) if (sheet[y, MARGIN : MARGIN + TILE] == 100).all())
    np.testing.assert_array_equal(sheet[top : top + 160, MARGIN : MARGIN + TILE], image)
    second = slice(MARGIN + TILE + GAP, MARGIN + 2 * TILE + GAP)
    np.testing.assert_array_equal(sheet[top : top + 80, second], image[:80])
    assert (sheet[top + 80 : top + 160, second] == PAPER).all()  # it is half as high

    labels = sheet[top + 160 + GAP : top + 320 + GAP, MARGIN : MARGIN + TILE]
    assert (labels[:, :160] == np.rint(0.35 * 100 + 0.65 * np.array([200, 0, 0]))).all()
    assert (labels[:, 160:240] == np.rint(0.35 * 100 + 0.65 * np.array([0, 0, 200]))).all()
    void = labels[:, 240:].reshape(-1, 3)
    assert {tuple(color) for color in np.unique(void, axis=0)} == {DARK, LIGHT}
    assert np.mean(void == DARK) == pytest.approx(0.5, abs=0.05)
    for color in (*CLASSES.colors, DARK):
        assert (sheet[top + 340 :] == color).all(axis=-1).any()  # the legend


def test_images_are_spread_over_the_split_and_show_its_classes():
    pixels = np.zeros((9, 4), int)
    pixels[:, 0] = 9
    pixels[1, 1] = pixels[2, 1] = pixels[2, 2] = 9  # the third shows two more
    pixels[4, 3] = 9  # the fifth one that was not yet
    pixels[5, 1] = 9
    pixels[8, 1] = pixels[7, 3] = pixels[7, 1] = 9
    assert diverse(pixels, 3) == [2, 4, 7]
    assert diverse(pixels[:2], 5) == [0, 1]


def test_the_command_writes_what_training_sees(fake, tmp_path):
    common = [*fake, "augment=street", "data.crop=[32,40]", "images=2", "draws=3"]
    for name, seed in (("one", 0), ("again", 0), ("other", 1)):
        output = tmp_path / "new" / f"{name}.png"
        result = succeed(SCRIPT, *common, f"seed={seed}", f"output={output}")
        assert f"written to {output}" in result.stdout
    one, again, other = (
        picture(tmp_path / "new" / f"{name}.png") for name in ("one", "again", "other")
    )
    assert one.shape[1] == 4 * TILE + 3 * GAP + 2 * MARGIN
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    left = slice(MARGIN, MARGIN + TILE)
    np.testing.assert_array_equal(one[:, left][:600], other[:, left][:600])  # the images themselves


@pytest.mark.parametrize("mix", ["cutmix", "classmix"])
def test_mixing_is_shown(fake, tmp_path, mix):
    common = [*fake, "augment=none", "images=1", "draws=1"]
    for name, p in (("plain", 0), ("mixed", 1)):
        succeed(
            SCRIPT, *common, f"augment.mix={mix}", f"augment.mix_p={p}",
            f"output={tmp_path}/{name}.png",
        )  # fmt: skip
    plain, mixed = picture(tmp_path / "plain.png"), picture(tmp_path / "mixed.png")
    share = (plain != mixed).any(axis=-1)[:, MARGIN + TILE + GAP :].mean()
    assert 0.1 < share < 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["output=sheet.foo"], "output=sheet.foo: give the picture a suffix such as .png"),
        (["images=0"], "images=0: expected a whole number of 1"),
        (["draws=x"], "draws='x': expected a whole number of 1"),
        (["augment.scale=[2,1]"], "augment.scale=[2, 1]: expected two numbers above 0"),
        (["augment.mix=mixup"], "augment.mix='mixup' is not known: none, cutmix, classmix"),
        (["augment.transforms=[{Flip: {}}]"], "albumentations has no 'Flip'"),
        (["augment.transforms=[{Normalize: {}}]"], "leave Normalize"),
        (["+augment.zoom=2"], "augment.zoom does not exist"),
        (["augment=hard"], "augment has no option 'hard'"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_users_mistake_gets_a_message_and_no_trace(fake, tmp_path, arguments, message):
    result = run(
        SCRIPT, *fake, f"output={tmp_path}/sheet.png", *arguments, HYDRA_FULL_ERROR="0"
    )  # fmt: skip
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert not (tmp_path / "sheet.png").exists()


def test_questions_are_answered_without_torch():
    code = (
        "import runpy, sys; sys.argv = ['preview', '--cfg', 'job']\n"
        "try: runpy.run_module('preview', run_name='__main__')\n"
        "except SystemExit as done: assert not done.code, done.code\n"
        "heavy = {'torch', 'pytorch_lightning', 'albumentations', 'cv2'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ}, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "class_balanced: false" in result.stdout


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_only_a_picture_of_preview_is_replaced(suffix, fake, tmp_path):
    output = tmp_path / f"mine{suffix}"
    words = [*fake, "data.crop=null", "images=1", "draws=1", f"output={output}"]
    Image.new("RGB", (8, 8)).save(output)
    before = output.read_bytes()
    result = run(SCRIPT, *words, HYDRA_FULL_ERROR="0")
    assert result.returncode == 1
    assert "is there already, and preview did not write it" in result.stderr
    assert output.read_bytes() == before
    output.unlink()
    succeed(SCRIPT, *words)
    succeed(SCRIPT, *words)
