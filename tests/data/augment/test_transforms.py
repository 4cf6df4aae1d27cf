import inspect

import cv2
import numpy as np
import pytest
from conftest import ROOT
from hydra import compose, initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from segmentation.classes import VOID
from segmentation.data.augment.transform import A, TrainTransform
from segmentation.data.augment.window import FILL
from segmentation.errors import ConfigError, DataError

OPTIONS = sorted(path.stem for path in (ROOT / "conf" / "augment").glob("*.yaml"))
SEEDS = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 1, 1)]


def pair(size=(40, 60), seed=0):
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, 11, size, dtype=np.uint8)
    return np.repeat(mask[..., None] * 20, 3, axis=2), mask


def option(name):
    """Return what conf/augment/<name>.yaml says about a single image."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        values = OmegaConf.to_container(compose("train", [f"augment={name}"]).augment)
    return {key: values[key] for key in ("transforms", "scale", "class_balanced")}


def test_the_options_were_found():
    assert {"none", "light", "street", "strong", "original"} <= set(OPTIONS)


@pytest.mark.parametrize("sizes", [{}, {"crop": (32, 70)}, {"size": (24, 24)}], ids=str)
@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_gives_the_size_and_keeps_labels(name, sizes):
    transform = TrainTransform(**option(name), **sizes)
    target = sizes.get("crop") or sizes.get("size") or (40, 60)
    for index in range(10):
        image, mask = transform(*pair(), seed=(0, 0, index))
        assert image.shape == (*target, 3)
        assert mask.shape == target
        assert image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {*range(11), VOID}  # no label is interpolated


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(8, 70), st.integers(8, 70)),
    crop=st.tuples(st.integers(8, 70), st.integers(8, 70)),
    index=st.integers(0, 1000),
)
def test_a_crop_has_its_size_and_image_and_mask_stay_together(size, crop, index):
    image, mask = TrainTransform(crop=crop)(*pair(size), seed=(0, 0, index))
    assert image.shape[:2] == mask.shape == crop
    real = mask != VOID
    assert real.sum() == min(size[0], crop[0]) * min(size[1], crop[1])
    np.testing.assert_array_equal(image[real][:, 0], mask[real] * 20)


def test_size_alone_is_the_whole_image_resized():
    image, mask = pair((90, 120))
    resized, labels = TrainTransform(size=(60, 80))(image, mask, seed=(0,))
    np.testing.assert_array_equal(resized, cv2.resize(image, (80, 60)))
    rows, columns = ((2 * np.arange(n) + 1) * 3 // 4 for n in (60, 80))  # 1.5 * (i + 1/2)
    np.testing.assert_array_equal(labels, mask[np.ix_(rows, columns)])


def test_size_and_crop_show_a_part_of_the_resized_image():
    mask = np.zeros((80, 120), np.uint8)
    image = np.repeat(np.arange(120, dtype=np.uint8)[None, :, None], 80, axis=0).repeat(3, axis=2)
    shown, _ = TrainTransform(size=(40, 60), crop=(20, 30))(image, mask, seed=(0,))
    assert shown.shape == (20, 30, 3)
    assert set(np.diff(shown[0, :, 0].astype(int))) == {2}  # two pixels of the source in each


def test_zoom_makes_things_larger_and_smaller():
    image, mask = pair()
    large, labels = TrainTransform(scale=[2, 2])(image, mask, seed=(0,))
    np.testing.assert_array_equal(labels[::2, ::2], labels[1::2, 1::2])
    _, labels = TrainTransform(scale=[0.5, 0.5])(image, mask, seed=(0,))
    assert (labels != VOID).sum() == 20 * 30
    assert large.shape == image.shape


def test_zooms_are_uniform_between_their_bounds():
    transform = TrainTransform(scale=[0.4, 1.0])
    image, mask = np.zeros((100, 100, 3), np.uint8), np.zeros((100, 100), np.uint8)
    shares = [(transform(image, mask, seed=(0, 0, i))[1] == 0).mean() for i in range(400)]
    zooms = np.sort(np.sqrt(shares))  # the side of what is no padding
    np.testing.assert_allclose(zooms, np.linspace(0.4, 1, 400), atol=0.05)


def test_class_balanced_crops_show_more_of_a_rare_class():
    mask = np.zeros((60, 80), np.uint8)
    mask[20:28, 60:70] = 1
    image = np.zeros((60, 80, 3), np.uint8)

    def share(balanced):
        transform = TrainTransform(crop=(20, 30), class_balanced=balanced)
        return np.mean([transform(image, mask, seed=(0, 0, i))[1] for i in range(200)])

    assert share(True) > 1.5 * share(False)


def test_randomness_is_a_function_of_the_seed_alone():
    recipe = {"transforms": [{"HorizontalFlip": {"p": 0.5}}, {"Affine": {"rotate": [-9, 9]}}]}
    one, other = (TrainTransform(**recipe, scale=[0.5, 1.5]) for _ in range(2))
    for _ in range(3):  # whatever was drawn before
        other(*pair(), seed=(9, 9, 9))
    same = [np.array_equal(one(*pair(), seed=s)[0], other(*pair(), seed=s)[0]) for s in SEEDS]
    assert all(same)
    distinct = {one(*pair(), seed=s)[0].tobytes() for s in SEEDS}
    assert len(distinct) == len(SEEDS)  # another epoch, index or run: another sample


def test_transforms_happen_independently_of_each_other():
    """albumentations' `set_random_seed` lets two flips come together or not at all."""
    one_or_other = {"OneOf": {"transforms": [{"InvertImg": {"p": 1}}, {"NoOp": {"p": 1}}], "p": 1}}
    transform = TrainTransform(
        [{"HorizontalFlip": {"p": 0.5}}, {"VerticalFlip": {"p": 0.5}}, one_or_other]
    )
    mask = np.arange(4, dtype=np.uint8).reshape(2, 2)
    image = np.zeros((2, 2, 3), np.uint8)
    counts = np.zeros((4, 2))
    for index in range(800):
        shown, labels = transform(image, mask, (0, 0, index))
        counts[labels[0, 0], shown.any().astype(int)] += 1
    np.testing.assert_allclose(counts / 800, 1 / 8, atol=0.05)


def test_the_source_is_never_written_to():
    image, mask = pair()
    before = image.copy(), mask.copy()
    for array in (image, mask):
        array.flags.writeable = False  # as a cache that is mapped read-only
    for name in OPTIONS:
        transform = TrainTransform(**option(name))
        for index in range(10):
            augmented, labels = transform(image, mask, seed=(0, 0, index))
            assert augmented.flags.writeable
            assert labels.flags.writeable
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])


NEEDS = {
    "CenterCrop": {"height": 50, "width": 50, "pad_if_needed": True},
    "Crop": {"x_min": 0, "y_min": 0, "x_max": 70, "y_max": 70, "pad_if_needed": True},
    "CropAndPad": {"px": 5},
    "Pad": {"padding": 5},
    "PadIfNeeded": {"min_height": 50, "min_width": 70},
    "RandomCrop": {"height": 50, "width": 70, "pad_if_needed": True},
    "Mosaic": None,  # takes more than one image
}


def fills(name):
    """Say whether albumentations labels pixels without a source 0."""
    kind = getattr(A, name)
    if not (isinstance(kind, type) and issubclass(kind, A.DualTransform)):
        return False
    parameters = inspect.signature(kind).parameters
    return "fill_mask" in parameters and parameters["fill_mask"].default == 0


FILLING = [
    name
    for name in dir(A)
    if fills(name) and not name.endswith("3D") and NEEDS.get(name, {}) is not None
]


def test_transforms_that_fill_were_found():
    assert len(FILLING) >= 15


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FILLING)
def test_pixels_without_a_source_are_void(name):
    """albumentations would label them 0."""
    transform = TrainTransform([{name: {"p": 1, **NEEDS.get(name, {})}}])
    image, mask = np.full((40, 60, 3), 250, np.uint8), np.full((40, 60), 3, np.uint8)
    for index in range(5):
        shown, labels = transform(image, mask, seed=(0, 0, index))
        assert set(np.unique(labels)) <= {3, VOID}
        if name != "MaskDropout":
            assert shown.min() >= min(FILL)


def test_rotation_and_padding_do_make_void():
    image, mask = np.full((40, 60, 3), 250, np.uint8), np.full((40, 60), 3, np.uint8)
    shown, labels = TrainTransform([{"Rotate": {"limit": [45, 45], "p": 1}}])(image, mask, (0,))
    assert labels[0, 0] == labels[-1, -1] == VOID
    assert tuple(shown[0, 0]) == FILL
    shown, labels = TrainTransform(crop=(80, 80))(image, mask, (0,))
    np.testing.assert_array_equal(labels == VOID, (shown == FILL).all(axis=-1))


def test_holes_keep_their_labels_unless_the_recipe_says_void():
    image, mask = np.full((40, 60, 3), 250, np.uint8), np.full((40, 60), 3, np.uint8)
    _, labels = TrainTransform([{"CoarseDropout": {"p": 1}}])(image, mask, (0,))
    assert (labels == 3).all()
    holes = {"CoarseDropout": {"p": 1, "fill": list(FILL), "fill_mask": VOID}}
    shown, labels = TrainTransform([holes])(image, mask, (0,))
    assert (labels == VOID).any()
    np.testing.assert_array_equal(labels == VOID, (shown == FILL).all(axis=-1))


def test_a_resize_in_a_recipe_takes_labels_where_it_takes_pixels():
    mask = np.zeros((60, 60), np.uint8)
    mask[:, 31:] = 1  # at a third the eleventh pixel has its centre here; OpenCV's nearest takes 30
    image = np.repeat(mask[..., None] * 255, 3, axis=2)
    transform = TrainTransform([{"Resize": {"height": 20, "width": 20}}], crop=(60, 60))
    shown, labels = transform(image, mask, (0,))
    inside = labels != VOID
    assert inside.sum() == 400
    np.testing.assert_array_equal((shown[..., 0] > 127)[inside], (labels == 1)[inside])


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        ([{"HorizontalFlop": {}}], r"no 'HorizontalFlop'\. Did you mean 'HorizontalFlip'"),
        ([{"HorizontalFlip": {"prob": 1}}], "HorizontalFlip has no argument 'prob'"),
        ([{"PadIfNeeded": {"mask_value": 1}}], r"no argument 'mask_value'"),
        ([{"RandomScale": {"scale_limit": "big"}}], "RandomScale: .*scale_limit"),
        ([{"OneOf": {"transforms": [{"Blurr": {}}]}}], "no 'Blurr'"),
        ([{"HorizontalFlip": 0.5}], r"HorizontalFlip: expected \{argument: value\}, got 0\.5"),
        (["HorizontalFlip"], "expected one '- Name"),
    ],
)
def test_what_albumentations_does_not_know_is_an_error(transforms, message):
    with pytest.raises(ConfigError, match=message):
        TrainTransform(transforms)


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        ([{"RandomCrop": {"height": 99, "width": 99}}], r"cannot be applied to 60x40 images: .*99"),
        ([{"Normalize": {}}], "8-bit RGB images.*leave Normalize"),
        ([{"ToTensorV2": {}}], "8-bit RGB images"),
    ],
)
def test_transforms_that_do_not_fit_the_images_are_an_error(transforms, message):
    with pytest.raises(ConfigError, match=message):
        TrainTransform(transforms)(*pair(), seed=(0,))


@pytest.mark.parametrize(
    "scale", [[1], [0, 1], [2, 1], [1, 2, 3], 0.5, ["a", 1], [0.5, float("inf")], [True, 2]]
)
def test_a_scale_is_two_positive_numbers(scale):
    with pytest.raises(ConfigError, match=r"augment\.scale=.*expected two numbers above 0"):
        TrainTransform(scale=scale)


def test_a_mask_of_another_size_is_an_error():
    image, mask = pair()
    with pytest.raises(DataError, match="a mask of 59x40 for an image of 60x40"):
        TrainTransform()(image, mask[:, 1:], seed=(0,))
