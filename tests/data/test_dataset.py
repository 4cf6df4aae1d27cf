import numpy as np
import pytest
import torch
from fakes import fake_camvid, pairs_of
from PIL import Image

from segmentation.classes import VOID
from segmentation.data.augment.options import Augmentation
from segmentation.data.datamodule import SegmentationData, check_sizes
from segmentation.data.dataset import SegmentationDataset, collate
from segmentation.errors import ConfigError, DataError


@pytest.fixture
def splits(tmp_path):
    root = fake_camvid(tmp_path)
    return {split: pairs_of(root, split) for split in ("train", "val", "test")}


def test_scoring_resizes_the_image_and_never_the_mask(splits):
    item = SegmentationDataset(splits["val"], size=(24, 40))[1]
    assert item["image"].shape == (3, 24, 40)
    assert item["mask"].shape == (48, 64)
    on_disk = np.asarray(Image.open(splits["val"].samples[1].mask))
    np.testing.assert_array_equal(item["mask"] == VOID, on_disk == 11)
    assert item["name"] == "val_001"


def test_batches_are_uint8_in_channels_last_memory(splits):
    dataset = SegmentationDataset(splits["val"])
    batch = collate([dataset[0], dataset[1]])
    assert batch["image"].dtype == batch["mask"].dtype == torch.uint8
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    assert batch["image"].shape == (2, 3, 48, 64)


def test_different_sizes_stay_a_list(splits):
    small = SegmentationDataset(splits["val"], size=(8, 8))
    batch = collate([small[0], SegmentationDataset(splits["val"])[1]])
    assert [image.shape for image in batch["image"]] == [(3, 8, 8), (3, 48, 64)]


def test_the_same_batches_with_any_number_of_workers(splits):
    augment = [{"HorizontalFlip": {"p": 0.5}}, {"RandomBrightnessContrast": {"p": 1}}]

    def epochs(workers):
        data = SegmentationData(
            splits, Augmentation(transforms=augment), crop=(32, 32), batch_size=2, workers=workers
        )
        loader = data.train_dataloader()
        batches = []
        for epoch in range(2):
            loader.sampler.set_epoch(epoch)
            batches.append([(batch["name"], batch["image"].numpy()) for batch in loader])
        return batches

    alone, shared = epochs(0), epochs(2)
    for one, other in zip(alone, shared, strict=True):
        for (names, images), (other_names, other_images) in zip(one, other, strict=True):
            assert names == other_names
            np.testing.assert_array_equal(images, other_images)
    images = [
        {name: image for names, stack in epoch for name, image in zip(names, stack, strict=True)}
        for epoch in alone
    ]
    assert all(not np.array_equal(images[0][name], images[1][name]) for name in images[0])


def test_no_more_workers_than_images(splits):
    data = SegmentationData(splits, batch_size=2, workers=5)
    assert data.val_dataloader().num_workers == 3
    assert SegmentationData(splits, workers=0).val_dataloader().num_workers == 0


def test_an_unreadable_file_is_named(splits):
    splits["train"].samples[0].image.write_bytes(b"")
    with pytest.raises(DataError, match=r"train_000\.png cannot be read"):
        SegmentationDataset(splits["train"])[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, r"data\.batch_size=0: expected a whole number of 1"),
        ({"batch_size": 2.5}, r"data\.batch_size=2\.5: expected"),
        ({"workers": -1}, r"data\.workers=-1: expected a whole number of 0"),
    ],
)
def test_bad_options(splits, options, message):
    with pytest.raises(ConfigError, match=message):
        SegmentationData(splits, **options)


def test_images_of_different_sizes_need_a_size_or_a_crop():
    sizes = np.array([[48, 64], [50, 64]])
    with pytest.raises(ConfigError, match=r"48x64 to 50x64.*data\.crop"):
        check_sizes(sizes, None, None)
    check_sizes(sizes, None, (32, 32))
    check_sizes(sizes, (48, 64), None)
    check_sizes(sizes[:1], None, None)
    with pytest.raises(ConfigError, match="is larger than"):
        check_sizes(sizes, (8, 8), (8, 9))
