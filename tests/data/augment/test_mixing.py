import numpy as np
import pytest
from fakes import fake_camvid, pairs_of
from hypothesis import given
from hypothesis import strategies as st

from segmentation.classes import VOID
from segmentation.data.augment.mixing import Mixing, classmix, cutmix
from segmentation.data.augment.options import Augmentation
from segmentation.data.augment.transform import TrainTransform
from segmentation.data.datamodule import SegmentationData
from segmentation.data.dataset import TrainDataset
from segmentation.errors import ConfigError


@given(size=st.tuples(st.integers(4, 80), st.integers(4, 80)), seed=st.integers(0, 2**32))
def test_cutmix_takes_a_rectangle_of_half_the_image(size, seed):
    chosen = cutmix(np.zeros(size, np.uint8), np.random.default_rng(seed))
    assert chosen.shape == size
    boxes = [box for box in (chosen, ~chosen) if is_rectangle(box)]
    sides = [(box.any(axis=1).sum(), box.any(axis=0).sum()) for box in boxes]
    # Sides are rounded to whole pixels: half a pixel of either, times the other.
    assert any(
        abs(height * width - size[0] * size[1] / 2) <= (height + width) / 2 + 0.25
        for height, width in sides
    )


def is_rectangle(box):
    rows, columns = np.flatnonzero(box.any(axis=1)), np.flatnonzero(box.any(axis=0))
    return box.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)


def test_cutmix_rectangles_differ_in_shape_and_place():
    rng = np.random.default_rng(0)
    taken = np.mean([cutmix(np.zeros((60, 60), np.uint8), rng) for _ in range(500)], axis=0)
    np.testing.assert_allclose(taken, 0.5, atol=0.1)  # no place is one image's more often


@given(labels=st.sets(st.integers(0, 254), max_size=9), seed=st.integers(0, 2**32))
def test_classmix_takes_all_pixels_of_half_the_classes_and_never_void(labels, seed):
    rng = np.random.default_rng(seed)
    mask = rng.permutation(np.repeat([*labels, VOID], 5)).astype(np.uint8).reshape(5, -1)
    chosen = classmix(mask, rng)
    taken, left = set(mask[chosen].tolist()), set(mask[~chosen].tolist())
    assert VOID not in taken
    assert not taken & left
    assert len(taken) == -(-len(labels) // 2)  # the larger half


def test_classmix_takes_every_class_as_often():
    rng = np.random.default_rng(0)
    mask = np.arange(4, dtype=np.uint8).repeat(9).reshape(6, 6)
    counts = np.bincount(np.concatenate([mask[classmix(mask, rng)] for _ in range(600)]))
    assert counts / (600 * 9) == pytest.approx([0.5] * 4, abs=0.07)


def flat(value):
    return np.full((6, 8, 3), 20 * value, np.uint8), np.full((6, 8), value, np.uint8)


@pytest.mark.parametrize("kind", ["cutmix", "classmix"])
def test_labels_go_where_their_pixels_go(kind):
    image, mask = flat(1)
    other = np.arange(48, dtype=np.uint8).reshape(6, 8) % 4 + 2
    other_image = np.repeat(other[..., None] * 20, 3, axis=2)
    mixed = 0
    for index in range(20):
        shown, labels = Mixing(kind, 1)(
            image, mask, (0, 0, index), 5, lambda *_: (other_image, other)
        )
        np.testing.assert_array_equal(shown, np.repeat(labels[..., None] * 20, 3, axis=2))
        mixed += 0 < (labels != 1).mean() < 1
    assert mixed == 20
    assert (mask == 1).all()  # the samples themselves stay as they are
    assert other.min() == 2


def test_partner_and_seed_are_the_samples_own_and_p_is_the_share():
    asked = []

    def draw(index, seed):
        asked.append((index, tuple(seed)))
        return flat(2)

    mixing = Mixing("cutmix", 0.3)
    for index in range(1000):
        mixing(*flat(1), (7, 2, index), 10, draw)
    assert len(asked) == pytest.approx(300, abs=45)
    assert {partner for partner, _ in asked} == set(range(10))
    assert len({seed for _, seed in asked}) == len(asked)  # a draw for each
    assert all(seed[:2] == (7, 2) for _, seed in asked)
    assert all(len(seed) == 4 for _, seed in asked)  # none is the partner's own sample
    first, asked[:] = list(asked), []
    for index in range(1000):
        mixing(*flat(1), (7, 2, index), 10, draw)
    assert asked == first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cutmx",), r"augment\.mix='cutmx' is not known: none, cutmix, classmix\. Did you mean"),
        ((None,), r"augment\.mix=None is not known"),
        (("cutmix", 1.5), r"augment\.mix_p is 1\.5"),
        (("cutmix", "often"), r"augment\.mix_p is 'often'"),
    ],
)
def test_unknown_kinds_and_shares(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Mixing(*arguments)


def test_images_of_several_sizes_cannot_be_mixed():
    other = (np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.uint8))
    with pytest.raises(ConfigError, match=r"images of one size.*data\.crop"):
        Mixing("cutmix", 1)(*flat(1), (0,), 2, lambda *_: other)


def test_samples_with_image_level_targets_are_not_mixed():
    assert Augmentation().mixing(targets=True) is None
    assert Augmentation(mix="classmix").mixing() is not None
    with pytest.raises(ConfigError, match=r"augment\.mix=classmix cannot be used with task\.targ"):
        Augmentation(mix="classmix").mixing(targets=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trasforms": []}, r"augment\.trasforms does not exist\. Did you mean 'transforms'"),
        ({"class_balanced": 0.5}, r"augment\.class_balanced=0\.5: must be true or false"),
    ],
)
def test_options_of_an_augmentation(values, message):
    with pytest.raises(ConfigError, match=message):
        Augmentation.from_dict(values).transform(None, None)


RECIPE = Augmentation(
    scale=[0.6, 1.6],
    transforms=[{"HorizontalFlip": {"p": 0.5}}, {"ColorJitter": {"p": 1}}],
    class_balanced=True,
    mix="classmix",
)


def samples(splits, workers=0, ranks=1, seed=0, epochs=2):
    """Return what training sees: image and mask by epoch and name, of all ranks together."""
    seen = []
    for rank in range(ranks):
        data = SegmentationData(
            splits, RECIPE, crop=(32, 40), workers=workers, seed=seed, batch_size=4
        )
        data._ranks = lambda rank=rank: (rank, ranks)
        loader = data.train_dataloader()
        for epoch in range(epochs):
            loader.sampler.set_epoch(epoch)
            for batch in loader:
                for name, image, mask in zip(
                    batch["name"], batch["image"], batch["mask"], strict=True
                ):
                    seen.append(((epoch, name), image.numpy().tobytes() + mask.numpy().tobytes()))
    assert len({key for key, _ in seen}) == len(seen) == 8 * epochs
    return dict(seen)


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    return {
        "train": pairs_of(
            fake_camvid(tmp_path_factory.mktemp("camvid"), {"train": 8, "val": 1, "test": 1})
        )
    }


@pytest.fixture(scope="module")
def alone(splits):
    return samples(splits)


@pytest.mark.parametrize(("workers", "ranks"), [(0, 1), (1, 1), (2, 1), (0, 2)])
def test_samples_are_the_same_with_any_number_of_workers_and_ranks(splits, alone, workers, ranks):
    assert samples(splits, workers, ranks) == alone


def test_another_epoch_or_seed_is_another_sample(splits, alone):
    other = samples(splits, seed=1)
    names = {name for _, name in alone}
    assert len(names) == 8
    assert all(alone[0, name] != alone[1, name] for name in names)
    assert all(alone[key] != other[key] for key in alone)
    # Seed and epoch are not added up: seed 1 does not repeat seed 0's epochs.
    assert all(alone[1, name] != other[0, name] for name in names)


def test_a_partner_is_drawn_from_the_split_and_augmented_by_itself(splits):
    """The dataset against the mixing done by hand."""
    transform, mixing = TrainTransform(crop=(16, 16), scale=[0.5, 2]), Mixing("cutmix", 1)
    pairs = splits["train"]
    item = TrainDataset(pairs, transform, seed=3, mixing=mixing)[2, 5]

    def draw(index, seed):
        return transform(*pairs[index], seed)

    image, mask = mixing(*draw(5, (3, 2, 5)), (3, 2, 5), 8, draw)
    np.testing.assert_array_equal(item["image"].permute(1, 2, 0), image)
    np.testing.assert_array_equal(item["mask"], mask)
    assert item["name"] == pairs.samples[5].name
