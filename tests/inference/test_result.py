"""`Predictor` takes what a caller has, and a `Result` holds what follows from a prediction."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from segmentation.classes import VOID, ClassTable
from segmentation.data.images.channels import Channels
from segmentation.errors import ConfigError, DataError, ModelError
from segmentation.inference import predictor as predictors
from segmentation.inference.marks import mark_of
from segmentation.inference.options import InferenceOptions
from segmentation.inference.predictor import Predictor
from segmentation.models import build_model, build_target_model, save_model
from segmentation.models.saving import LEARNT_SIZE, extra_of
from segmentation.targets import TargetColumns

CLASSES = ClassTable(("a", "b", "c"), ((255, 0, 0), (0, 255, 0), (0, 0, 255)))


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    torch.manual_seed(0)
    directory = tmp_path_factory.mktemp("model")
    model = build_model({"name": "test_resnet", "weights": "none"}, {"channels": [8] * 5}, 3)
    save_model(model.eval(), directory, CLASSES, None)
    return directory


@pytest.fixture(scope="module")
def predictor(directory):
    return Predictor(directory, precision="32-true")


def noise(seed=0, size=(40, 56)):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (-(-size[0] // 8), -(-size[1] // 8), 3), dtype=np.uint8)
    return np.kron(small, np.ones((8, 8, 1), np.uint8))[: size[0], : size[1]]


@pytest.fixture
def image():
    return noise()


def test_an_image_may_be_a_path_a_picture_an_array_or_a_tensor(predictor, image, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(image).save(path)
    expected = predictor(image).mask
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    with Image.open(path) as opened:
        for source in (path, str(path), opened, Image.fromarray(image), tensor):
            np.testing.assert_array_equal(predictor(source).mask, expected)
    assert expected.dtype == np.uint8
    assert expected.shape == (40, 56)
    assert len(np.unique(expected)) > 1
    assert predictor(path).path == path
    assert predictor(image).path is None


def test_grey_images_are_predicted_as_their_files_are(predictor, image, tmp_path):
    grey = np.ascontiguousarray(image[..., 0])
    Image.fromarray(grey).save(tmp_path / "grey.png")
    expected = predictor(tmp_path / "grey.png").mask
    for source in (grey, torch.from_numpy(grey), Image.fromarray(grey)):
        np.testing.assert_array_equal(predictor(source).mask, expected)


def test_pictures_are_read_as_their_files_are(predictor, image, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.fromarray(image).save(tmp_path / "turned.png", exif=exif)
    alpha = np.full((40, 56, 1), 255, np.uint8)
    Image.fromarray(np.concatenate([image, alpha], axis=2)).save(tmp_path / "rgba.png")
    Image.fromarray(image).convert("CMYK").save(tmp_path / "cmyk.tif")
    frames = [Image.fromarray(image).quantize(), Image.fromarray(255 - image).quantize()]
    frames[0].save(tmp_path / "animated.gif", save_all=True, append_images=frames[1:])
    for path in tmp_path.iterdir():
        with Image.open(path) as opened:
            np.testing.assert_array_equal(predictor(opened).mask, predictor(path).mask)
    assert predictor(tmp_path / "turned.png").mask.shape == (56, 40)
    np.testing.assert_array_equal(predictor(tmp_path / "rgba.png").mask, predictor(image).mask)


def test_pictures_that_would_lose_something_are_refused_as_their_files_are(predictor, tmp_path):
    Image.fromarray(np.zeros((40, 56), np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(np.zeros((40, 56, 4), np.uint8)).save(tmp_path / "clear.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("no image")
    reasons = {"deep": "16 bits", "clear": "transparent", "empty": "cannot", "text": "cannot"}
    for path in tmp_path.iterdir():
        with pytest.raises(DataError, match=reasons[path.stem]):
            predictor(path)
    for name in ("deep.png", "clear.png"):
        with (
            Image.open(tmp_path / name) as opened,
            pytest.raises(DataError, match=reasons[name[:-4]]),
        ):
            predictor(opened)
    with pytest.raises(DataError, match="is a folder: pass a list of its images"):
        predictor(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        predictor("absent.png")


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        (np.zeros((8, 8, 3)), r"\(255 \* image\)\.round\(\)\.astype\(np\.uint8\)"),
        (torch.zeros(3, 8, 8, dtype=torch.bfloat16), r"\(255 \* image\)\.round\(\)"),
        (np.zeros((2, 8, 8, 3), np.uint8), r"Pass list\(images\)"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), r"pass list\(images\)"),
        (np.zeros((3, 8, 9), np.uint8), r"image\.transpose\(1, 2, 0\)"),
        (np.zeros((8, 8, 4), np.uint8), r"image\[\.\.\., :3\]"),
        (np.zeros((0, 8, 3), np.uint8), r"this one is uint8 \(0, 8, 3\)"),
        (np.zeros((8, 8, 3), bool), "this one is bool"),
        (3, "a int is not an image: pass a path"),
        (b"bytes", "a int is not an image"),
        ([None], "a NoneType is not an image"),
    ],
)  # fmt: skip
def test_what_is_no_image_is_refused_with_what_to_pass(predictor, source, advice):
    with pytest.raises(ModelError, match=advice):
        list(predictor(source))


def test_a_list_gives_a_list_equal_to_its_images_one_by_one(predictor, monkeypatch):
    sizes = [(40, 56), (32, 32), (40, 56), (40, 56), (33, 31), (32, 32)]
    images = [noise(seed, size) for seed, size in enumerate(sizes)]
    one_by_one = [predictor(image).mask for image in images]
    forward, batches = Predictor._forward, []

    def spy(self, images):
        batches.append(len(images))
        return forward(self, images)

    monkeypatch.setattr(Predictor, "_forward", spy)
    for together, expected in ((1, [1] * 6), (4, [3, 1, 1, 1])):  # as on a CPU, and as on a GPU
        batches.clear()
        monkeypatch.setattr(Predictor, "_most", property(lambda _, most=together: most))
        results = predictor(images)
        assert isinstance(results, list)
        assert batches == expected
        for result, mask in zip(results, one_by_one, strict=True):
            np.testing.assert_array_equal(result.mask, mask)


def test_an_iterable_gives_a_lazy_iterator_that_reads_a_bounded_way_ahead(predictor, monkeypatch):
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield noise(len(taken) % 3)

    for together in (1, 4):
        monkeypatch.setattr(Predictor, "_most", property(lambda _, most=together: most))
        taken.clear()
        results = predictor(endless())
        assert taken == []
        np.testing.assert_array_equal(next(results).mask, predictor(noise(1)).mask)
        assert len(taken) == together
    results = predictor(image for image in [noise(5)])
    assert [result.mask.shape for result in results] == [(40, 56)]


def test_results_before_a_bad_image_are_given_first(predictor, monkeypatch):
    monkeypatch.setattr(Predictor, "_most", property(lambda _: 4))
    results = predictor(iter([noise(0), noise(1), "absent.png", noise(2)]))
    assert len([next(results), next(results)]) == 2
    with pytest.raises(DataError, match="absent"):
        next(results)


def test_probabilities_and_confidence_agree_with_the_mask(predictor, image):
    result = predictor(image)
    assert result.probabilities.shape == (3, 40, 56)
    assert result.probabilities.dtype == result.confidence.dtype == np.float32
    np.testing.assert_allclose(result.probabilities.sum(axis=0), 1, rtol=1e-5)
    np.testing.assert_array_equal(result.probabilities.argmax(axis=0), result.mask)
    np.testing.assert_array_equal(result.confidence, result.probabilities.max(axis=0))
    at_once = predictor(image, confidence=True)
    np.testing.assert_array_equal(at_once.known_confidence, result.confidence)


def test_nobody_pays_for_probabilities_who_does_not_ask(predictor, image, monkeypatch):
    result = predictor(image)
    monkeypatch.setattr(Predictor, "_forward", None)
    result.overlay(), result.shares, result.mask
    with pytest.raises(TypeError):
        _ = result.confidence


def test_shares_are_of_the_pixels_with_data_which_others_are_void(tmp_path):
    channels = Channels((1, 2), ("", ""), "float32", low=(0.0, 0.0), high=(1.0, 1.0))
    encoder = {"name": "test_resnet", "weights": "none", "in_channels": 2}
    model = build_model(encoder, {"channels": [8] * 5}, 3)
    save_model(model.eval(), tmp_path, CLASSES, None, extra_of(None, channels))
    image = np.random.default_rng(0).random((40, 56, 2)).astype(np.float32)
    image[:20] = np.nan
    result = Predictor(tmp_path)(image, confidence=True)
    assert (result.mask[:20] == VOID).all()
    assert (result.mask[20:] < 3).all()
    assert sum(result.shares.values()) == pytest.approx(1)
    assert result.shares["a"] == pytest.approx((result.mask[20:] == 0).mean())
    for scores in (result.confidence, *result.probabilities):
        assert (scores[:20] == 0).all()
    assert result.confidence[20:].min() > 1 / 3 - 1e-6


def test_an_overlay_lies_over_the_image_and_polygons_around_the_regions(predictor, image):
    result = predictor(image)
    np.testing.assert_array_equal(result.overlay(0), image)
    np.testing.assert_array_equal(result.overlay(1), CLASSES.palette()[result.mask])
    with pytest.raises(ConfigError, match="opacity=2: it is 0"):
        result.overlay(2)
    areas = dict.fromkeys(range(3), 0.0)
    for polygon in result.polygons(tolerance=0):
        areas[polygon.label] += polygon.area
    assert areas == {label: (result.mask == label).sum() for label in range(3)}
    with pytest.raises(ConfigError, match="tolerance=-1: give pixels"):
        result.polygons(-1)


def test_a_mask_is_saved_and_nothing_of_others_replaced(predictor, image, tmp_path):
    result, path = predictor(image), tmp_path / "new" / "mask.png"
    result.save(path)
    with Image.open(path) as saved:
        np.testing.assert_array_equal(np.asarray(saved), result.mask)
        assert saved.mode == "L"
    assert mark_of(path) == result.mark
    predictor(255 - image).save(path)
    assert mark_of(path) not in (None, result.mark)
    photo = tmp_path / "photo.png"
    Image.fromarray(image).save(photo)
    before = photo.read_bytes()
    with pytest.raises(ConfigError, match=r"photo\.png is not a mask that this project wrote"):
        predictor(photo).save(photo)
    with pytest.raises(ConfigError, match=r"mask\.jpg: masks are PNG"):
        result.save(str(tmp_path / "mask.jpg"))
    assert photo.read_bytes() == before
    assert {child.name for child in tmp_path.rglob("*")} == {"new", "mask.png", "photo.png"}


def test_image_level_targets_are_named(tmp_path, image):
    columns = TargetColumns("scene", ("dark", "bright"), ("brightness",), (100.0,), (20.0,))
    model = build_target_model({"name": "test_resnet", "weights": "none"}, columns)
    save_model(model.eval(), tmp_path, None, None)
    result = Predictor(tmp_path)(image)
    assert set(result.category_probabilities) == {"dark", "bright"}
    assert result.category_probabilities[result.category] >= 0.5
    assert 0 < result.values["brightness"] < 200
    for of_pixels in ("mask", "probabilities", "confidence", "shares"):
        with pytest.raises(ModelError, match="does not segment"):
            getattr(result, of_pixels)


def test_threads_share_a_predictor(directory):
    predictor = Predictor(directory)
    images = [noise(seed) for seed in range(12)]
    serial = [predictor(image).mask for image in images]
    found = [None] * len(images)

    def work(first):
        for index in range(first, len(images), 4):
            found[index] = predictor(images[index]).mask

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for mask, expected in zip(found, serial, strict=True):
        np.testing.assert_array_equal(mask, expected)


def test_a_predictor_moves_and_computes_in_half_precision(directory, image):
    predictor = Predictor(directory, precision="32-true")
    exact = predictor(image)
    assert predictor.to("cpu") is predictor
    assert predictor.half() is predictor
    assert predictor.dtype == torch.float16
    assert (predictor(image).mask == exact.mask).mean() > 0.99
    with pytest.raises(ConfigError, match="no CUDA GPU" if not torch.cuda.is_available() else "x"):
        predictor.to("cuda" if not torch.cuda.is_available() else "x")


@pytest.fixture
def small_limits(monkeypatch):
    """Make an image of some hundred pixels a large one."""
    monkeypatch.setattr(predictors, "MAX_WHOLE", 64 * 64)
    monkeypatch.setattr("segmentation.inference.parts.SIDE", 64)
    monkeypatch.setattr("segmentation.inference.parts.MARGIN", 32)
    monkeypatch.setattr("segmentation.inference.parts.STRIP", 3 * 100 * 7)


def test_a_large_image_is_predicted_in_windows_with_a_margin(predictor, small_limits, monkeypatch):
    image, seen = noise(0, (150, 170)), []
    forward = Predictor._forward

    def spy(self, images):
        seen.append(images[0].shape)
        return forward(self, images)

    monkeypatch.setattr(Predictor, "_forward", spy)
    result = predictor(image, confidence=True)
    assert len(seen) == 9
    assert seen[4] == (118, 128, 3)  # the middle one reaches the bottom, not the sides
    monkeypatch.setattr(predictors, "MAX_WHOLE", 1 << 21)
    whole = predictor(image, confidence=True)
    assert (result.mask == whole.mask).mean() > 0.97
    assert np.abs(result.confidence - whole.confidence).mean() < 0.01
    np.testing.assert_array_equal(
        predictor(image).mask, result.mask if len(seen) < 9 else whole.mask
    )


def test_a_resized_image_is_never_written_whole_and_labelled_alike(
    directory, tmp_path, small_limits
):
    from segmentation.metrics.counting import label_map
    from segmentation.models import load_model

    save_model(load_model(directory).model, tmp_path, CLASSES, None, {LEARNT_SIZE: [40, 56]})
    predictor = Predictor(tmp_path, precision="32-true")
    image = noise(0, (360, 420))
    assert predictor.seen_size(360, 420) == (40, 47)
    result = predictor(image)
    logits = predictor._forward([predictors.resize_image(image, (40, 47))]).logits
    with torch.inference_mode():
        expected = label_map(logits, (360, 420))[0].numpy()
    assert (result.mask == expected).mean() > 0.9999
    assert (result.mask == result.probabilities.argmax(axis=0)).mean() > 0.9999


def test_a_large_image_that_is_resized_is_predicted_in_windows_too(directory, small_limits):
    image = noise(0, (300, 340))
    result = Predictor(directory, short_side=150, precision="32-true")(image)
    whole = Predictor(directory, short_side=60, precision="32-true")(image)
    assert result.mask.shape == whole.mask.shape == (300, 340)
    assert (result.mask < 3).all()
    windows = Predictor(directory, options=InferenceOptions(window=(32, 32)), precision="32-true")
    assert windows(image).mask.shape == (300, 340)


def test_the_shipped_model_is_the_default():
    predictor = Predictor()
    assert predictor.classes.names[0] == "Sky"
    assert Path(predictors.DEFAULT).name == "camvid_efficientnet_lite0_long"
