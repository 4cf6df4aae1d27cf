"""Pictures show the right pixels in the right colours, and leave the model as it was."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import LABELS
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from torch import Tensor, nn

from segmentation.classes import VOID, ClassTable
from segmentation.pictures import (
    GAP,
    UNKNOWN,
    WRONG,
    Example,
    error_view,
    evenly_spaced,
    example,
    overlay,
    panel,
    predict_labels,
    save_pictures,
    sheet,
)

CLASSES = ClassTable(("road", "sky"), ((200, 100, 0), (0, 100, 200)))


def labels(height: int = 360, width: int = 480, seed: int = 0) -> np.ndarray:
    """Labels of both classes and void."""
    return np.random.default_rng(seed).choice([0, 1, VOID], (height, width)).astype(np.uint8)


def image(height: int = 360, width: int = 480) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (height, width, 3)).astype(np.uint8)


def tiles(picture: np.ndarray, width: int, height: int) -> list[np.ndarray]:
    """Cut the four tiles out of a panel."""
    assert picture.shape[1] == 4 * width + 3 * GAP
    row = picture[-height:]
    return [row[:, column * (width + GAP) :][:, :width] for column in range(4)]


def test_overlay_mixes_by_alpha_and_leaves_void_alone() -> None:
    picture = np.full((1, 3, 3), 100, dtype=np.uint8)
    mixed = overlay(picture, np.array([[0, 1, VOID]], dtype=np.uint8), CLASSES, alpha=0.25)
    # 3/4 of 100 and 1/4 of each colour
    assert mixed.tolist() == [[[125, 100, 75], [75, 100, 125], [100, 100, 100]]]
    assert mixed.dtype == np.uint8


@given(
    arrays(np.uint8, (4, 5, 3)),
    arrays(np.uint8, (4, 5), elements=st.sampled_from([0, 1, VOID])),
    st.floats(0, 1),
)
def test_overlay_lies_between_image_and_colour(
    picture: np.ndarray, found: np.ndarray, alpha: float
) -> None:
    mixed = overlay(picture, found, CLASSES, alpha)
    color = np.where((found == VOID)[..., None], picture, CLASSES.palette()[found])
    assert (np.minimum(picture, color) <= mixed).all()
    assert (mixed <= np.maximum(picture, color)).all()


def test_the_error_view_marks_wrong_and_void_pixels_and_no_others() -> None:
    truth = np.array([[0, 1, VOID, 1]], dtype=np.uint8)
    prediction = np.array([[0, 0, 1, 1]], dtype=np.uint8)
    view = error_view(np.full((1, 4, 3), 255, dtype=np.uint8), truth, prediction)
    assert tuple(view[0, 1]) == WRONG
    assert tuple(view[0, 2]) == UNKNOWN
    for right in (view[0, 0], view[0, 3]):
        assert len(set(right.tolist())) == 1  # grey
        assert right.max() < min(UNKNOWN)  # even the brightest image is darker than void


def test_a_panel_shows_image_truth_prediction_and_error() -> None:
    picture, truth, prediction = image(), labels(seed=1), labels(seed=2) % 2
    result = panel(picture, truth, prediction, CLASSES)
    assert result.dtype == np.uint8
    shown = tiles(result, 480, 360)
    np.testing.assert_array_equal(shown[0], picture)
    np.testing.assert_array_equal(shown[1], CLASSES.palette()[truth])
    np.testing.assert_array_equal(shown[2], CLASSES.palette()[prediction])
    np.testing.assert_array_equal(shown[3], error_view(picture, truth, prediction))
    assert (result[:-360] == 255).any()  # titles on white above
    assert (result[:-360] < 100).any()


def test_a_small_panel_grows_by_a_whole_number() -> None:
    truth = labels(128, 128)
    shown = tiles(panel(image(128, 128), truth, truth, CLASSES), 384, 384)
    large = np.kron(truth, np.ones((3, 3), dtype=np.uint8))
    np.testing.assert_array_equal(shown[1], CLASSES.palette()[large])


def test_a_large_panel_shrinks_and_keeps_its_shape() -> None:
    truth = labels(1024, 2048)
    shown = tiles(panel(image(512, 1024), truth, truth % 2, CLASSES), 640, 320)
    allowed = {tuple(color) for color in CLASSES.palette()[[0, 1, VOID]].tolist()}
    assert {tuple(color) for color in shown[1].reshape(-1, 3).tolist()} == allowed


def test_a_sheet_holds_every_row_and_every_class() -> None:
    rows = [Example(f"{i}", image(), labels(seed=i), labels(seed=i) % 2) for i in range(3)]
    one, three = sheet(rows[:1], CLASSES), sheet(rows, CLASSES)
    assert three.shape[1] == one.shape[1]
    assert (three.shape[0] - one.shape[0]) % 2 == 0
    assert (three.shape[0] - one.shape[0]) // 2 > 360
    np.testing.assert_array_equal(three, sheet(rows, CLASSES))  # drawn the same again
    legend = sheet(rows, LABELS.classes)[-60:].reshape(-1, 3)
    for color in (*LABELS.classes.colors, WRONG, UNKNOWN):
        assert (legend == color).all(axis=1).sum() > 200, color


def test_a_sheet_takes_images_of_several_sizes() -> None:
    shapes = ((360, 480), (128, 128), (500, 333))
    rows = [Example("x", image(*shape), labels(*shape), labels(*shape)) for shape in shapes]
    assert sheet(rows, CLASSES).shape[1] == sheet(rows[:1], CLASSES).shape[1]


def test_a_sheet_says_names_and_errors() -> None:
    truth = labels()
    right = Example("a", image(), truth, truth)
    other_name = Example("b" * 200, image(), truth, truth)
    wrong = Example("a", image(), truth, 1 - truth % 2)
    assert (sheet([right], CLASSES) != sheet([other_name], CLASSES)).any()
    assert (sheet([right], CLASSES)[:80] != sheet([wrong], CLASSES)[:80]).any()


def test_a_sheet_of_void_alone_can_be_drawn() -> None:
    truth = np.full((128, 128), VOID, dtype=np.uint8)
    view = sheet([Example("x", image(128, 128), truth, np.zeros_like(truth))], CLASSES)
    assert not (view.reshape(-1, 3) == WRONG).all(axis=1)[: -100 * view.shape[1]].any()


@given(st.integers(0, 500), st.integers(1, 20))
def test_indices_are_spread_evenly(total: int, count: int) -> None:
    chosen = evenly_spaced(total, count)
    assert len(chosen) == min(total, count)
    assert all(0 <= index < total for index in chosen)
    gaps = np.diff(np.array(chosen))
    assert not len(gaps) or (gaps.min() >= 1 and gaps.max() - gaps.min() <= 1)


def test_indices_stay_off_the_ends() -> None:
    assert evenly_spaced(100, 2) == [25, 75]
    assert evenly_spaced(3, 6) == [0, 1, 2]


class Model(nn.Module):
    """Says "sky" where red is bright; has parts in different modes, as with a frozen encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)
        self.frozen = nn.BatchNorm2d(2)
        nn.init.zeros_(self.conv.weight)
        with torch.no_grad():
            self.conv.weight[1, 0] = 1.0
            self.conv.bias.copy_(torch.tensor([127.5, 0.0]))
        self.modes: list[bool] = []

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 2, H, W)."""
        assert images.dtype == torch.uint8
        self.modes.append(self.frozen.training or self.training)
        assert not torch.is_grad_enabled()
        return self.conv(images.float())


def test_prediction_leaves_every_part_in_its_mode() -> None:
    model = Model().train()
    model.frozen.eval()
    predict_labels(model, torch.zeros((3, 4, 4), dtype=torch.uint8), (4, 4))
    assert model.modes == [False]
    assert (model.training, model.conv.training, model.frozen.training) == (True, True, False)


def test_prediction_that_fails_leaves_the_modes_too() -> None:
    model = Model().train()
    with pytest.raises(AssertionError):
        predict_labels(model, torch.zeros((3, 4, 4)), (4, 4))
    assert model.training


def test_prediction_interpolates_logits_not_labels() -> None:
    red = torch.zeros((3, 1, 2), dtype=torch.uint8)
    red[0] = torch.tensor([[0, 255]])
    found = predict_labels(Model(), red, (1, 8))
    # Bilinear between two pixels whose logits cross in the middle
    assert found.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]]
    assert found.dtype == np.uint8


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_an_example_shows_any_number_of_channels(channels: int) -> None:
    pixels = torch.arange(channels * 6, dtype=torch.uint8).reshape(channels, 2, 3)
    sample = {"image": pixels, "mask": torch.tensor([[0, 1], [255, 0]]), "name": "x"}
    shown = example(nn.Sequential(ToFloat(), nn.Conv2d(channels, 2, 1)), sample)
    assert shown.image.shape == (2, 3, 3)
    assert shown.prediction.shape == (2, 2)
    assert shown.truth.tolist() == [[0, 1], [VOID, 0]]
    np.testing.assert_array_equal(shown.image[..., 0], pixels[0])
    last = pixels[2] if channels >= 3 else pixels[0]
    np.testing.assert_array_equal(shown.image[..., 2], last)


class ToFloat(nn.Module):
    """What a model does first."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the same values as float."""
        return images.float()


class Streets:
    """Twenty images; the truth is right where the model is."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int, /) -> dict:
        """Return a sample whose upper half is sky."""
        self.asked.append(index)
        picture = torch.zeros((3, 36, 48), dtype=torch.uint8)
        picture[0, :18] = 255
        mask = (picture[0] > 0).long()
        return {"image": picture, "mask": mask, "name": f"street_{index}.png"}


def test_saved_pictures_show_evenly_spaced_images(tmp_path: Path) -> None:
    streets, path = Streets(), tmp_path / "new" / "pictures.png"
    save_pictures(Model(), streets, CLASSES, path, count=4)
    assert streets.asked == [2, 7, 12, 17]
    saved = np.array(Image.open(path))
    rows = [example(Model(), streets[index]) for index in (2, 7, 12, 17)]
    np.testing.assert_array_equal(saved, sheet(rows, CLASSES))
    assert all((row.truth == row.prediction).all() for row in rows)


def test_a_small_data_set_gives_fewer_pictures(tmp_path: Path) -> None:
    streets = Streets()
    save_pictures(Model(), streets, CLASSES, tmp_path / "all.jpg", count=50)
    assert streets.asked == list(range(20))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_image_follows_the_model_to_its_device() -> None:
    found = predict_labels(Model().cuda(), torch.full((3, 4, 4), 255, dtype=torch.uint8), (4, 4))
    assert (found == 1).all()


def test_real_images_make_a_sheet(camvid_root: Path) -> None:
    table = LABELS.classes
    name = sorted((camvid_root / "val").glob("*.png"))[0].name
    truth = LABELS.decode(np.array(Image.open(camvid_root / "valannot" / name)), name)
    picture = np.array(Image.open(camvid_root / "val" / name).convert("RGB"))
    prediction = np.where(truth == VOID, 0, truth).astype(np.uint8)
    shown = tiles(panel(picture, truth, prediction, table), 480, 360)
    assert not (shown[3] == WRONG).all(axis=2).any()
    assert (shown[3] == UNKNOWN).all(axis=2).sum() == (truth == VOID).sum()
