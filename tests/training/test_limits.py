import math
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_models import WIDTHS

from segmentation.data.sampler import EpochSampler
from segmentation.errors import ConfigError
from segmentation.models import Encoder, TargetModel, UNet, build_model
from segmentation.targets import TargetColumns
from segmentation.training.limits import (
    MOST_PADDING,
    TrainingBatch,
    check_batch,
    check_crop,
    check_epoch,
    check_norms,
    check_workers,
    padding,
)

PAIRS = st.tuples(st.integers(1, 200), st.integers(1, 200))


def batch(images=1, size=(32, 32), ranks=1, parts=1, there=10):
    return TrainingBatch(images, size, ranks, parts, there)


def meta(encoder="test_resnet", **decoder):
    with torch.device("meta"):
        return build_model({"name": encoder, "weights": "none"}, {"channels": WIDTHS, **decoder}, 2)


def trains(model, images, size):
    """Whether a real model of the same layers takes a step."""
    real = model.to_empty(device="cpu")
    for value in real.state_dict().values():
        value.zero_()
    shape = (images, real.encoder.in_channels, *size)
    try:
        real.train()(torch.zeros(shape, dtype=torch.uint8))
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("size", [(20, 32), (32, 33), (64, 32)])
@pytest.mark.parametrize("encoder", ["test_resnet", "resnet18", "test_convnext"])
def test_a_step_is_refused_just_where_it_would_fail(encoder, size, images):
    model = meta(encoder)
    works = trains(meta(encoder), images, size)
    said = nullcontext() if works else pytest.raises(ConfigError, match="one image of 20x32")
    with said:
        check_norms(model, batch(images, size), frozen=False, sync=False)


def test_some_of_those_steps_are_refused():
    with pytest.raises(ConfigError, match="the encoder's batch norm one value"):
        check_norms(meta(), batch(), frozen=False, sync=False)


def test_a_frozen_encoder_and_batch_norm_over_ranks_have_values():
    check_norms(meta(), batch(), frozen=True, sync=False)
    check_norms(meta(), batch(2, ranks=2), frozen=False, sync=True)
    with pytest.raises(ConfigError, match=r"for each of 2 processes .* data\.batch_size=4"):
        check_norms(meta(), batch(2, ranks=2), frozen=False, sync=False)


@pytest.mark.parametrize("segments", [True, False])
def test_image_level_targets_change_nothing(segments):
    columns = TargetColumns(values=("brightness",), mean=(0.0,), std=(1.0,))
    with torch.device("meta"):
        encoder = Encoder("test_resnet", weights="none")
        options = {"channels": WIDTHS}
        model = UNet(encoder, 2, columns, **options) if segments else TargetModel(encoder, columns)
    check_norms(model, batch(2), frozen=False, sync=False)
    with pytest.raises(ConfigError, match="the encoder's batch norm one value"):
        check_norms(model, batch(), frozen=False, sync=False)


def test_the_decoder_has_an_option_of_its_own():
    center = meta("test_convnext", center=True)
    with pytest.raises(ConfigError, match=r"the decoder's batch norm .* or decoder\.norm=group"):
        check_norms(center, batch(), frozen=False, sync=False)
    group = meta("test_convnext", center=True, norm="group")
    check_norms(group, batch(), frozen=False, sync=False)


def test_a_batch_that_ranks_cannot_share():
    with pytest.raises(ConfigError, match=r"batch_size=3 is the global batch .* multiple of 2"):
        list(check_batch(batch(3, ranks=2)))


def test_fewer_images_than_a_batch():
    assert list(check_batch(batch(8, there=8))) == []
    (said,) = check_batch(batch(8, there=5, ranks=2))
    assert said == (
        "train has 5 images, fewer than data.batch_size=8: images repeat within each batch. "
        "Use data.batch_size=4 or less."
    )
    assert "Use data.batch_size=2 or less" in next(check_batch(batch(8, there=1, ranks=2)))


@given(st.lists(PAIRS, min_size=1, max_size=6), PAIRS)
def test_padding_is_what_images_leave_of_a_crop(sizes, crop):
    height, width = crop
    inside = np.mean([min(a, height) * min(b, width) for a, b in sizes])
    share = padding(crop, np.array(sizes))
    assert share == pytest.approx(1 - inside / (height * width))
    said = ""
    try:
        said = "".join(check_crop(crop, np.array(sizes)))
    except ConfigError as error:
        said = str(error)
        assert share > MOST_PADDING
    assert bool(said) == (share > 0.1)
    if "Use data.crop=" in said:
        advised = tuple(map(int, said.split("Use data.crop=[")[1].rstrip("].").split(",")))
        assert padding(advised, np.array(sizes)) < share


def test_crops_of_another_data_set_are_refused():
    sizes = np.array([[96, 128], [200, 300], [100, 128]])
    with pytest.raises(ConfigError, match="3 of 3 training images are smaller than the crops") as e:
        list(check_crop((512, 1024), sizes))
    assert str(e.value).endswith("Use data.crop=[96,128].")
    (said,) = check_crop((128, 128), sizes)
    assert "2 of 3 training images are smaller than the crops of 128x128: 16% of the" in said
    assert list(check_crop(None, sizes)) == []


def test_crops_that_suit_most_images_point_to_resizing():
    (said,) = check_crop((64, 64), np.array([[64, 64], [64, 64], [32, 32]]))
    assert said.endswith("Resize the images to one size with data.size=[height,width].")


def test_more_workers_than_images():
    images = {"train": 12, "val": 3, "test": 2}
    (said,) = check_workers(4, images)
    assert said.startswith(
        "data.workers=4 is more than the images of a split (3 in val, 2 in test)"
    )
    assert list(check_workers(2, images)) == list(check_workers("auto", images)) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit_train_batches": 0.01}, r"limit_train_batches=0\.01 leaves no batch of train"),
        ({"limit_train_batches": 0}, "limit_train_batches=0 leaves no batch of train, which has 3"),
        ({"limit_val_batches": 0.0}, r"limit_val_batches=0\.0 leaves no batch of val, which has 2"),
        ({"overfit_batches": 0.3}, r"overfit_batches=0\.3 leaves no batch of train"),
        ({"val_check_interval": 4}, "val_check_interval=4 is more than the 3 batches"),
        (
            {"val_check_interval": 3, "limit_train_batches": 2},
            "val_check_interval=3 is more than the 2 batches",
        ),
    ],
)
def test_epochs_that_limits_leave_empty(options, message):
    with pytest.raises(ConfigError, match=message):
        check_epoch(options, 3, 2)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"limit_train_batches": 1, "limit_val_batches": 0.5},
        {"overfit_batches": 1, "limit_val_batches": 0},
        {"overfit_batches": 0.0},
        {"val_check_interval": 4, "check_val_every_n_epoch": None},
        {"val_check_interval": 1.0},
    ],
)
def test_epochs_with_a_batch(options):
    check_epoch(options, 3, 2)


@given(st.integers(1, 30), st.integers(1, 8), st.integers(1, 3))
def test_the_batches_of_an_epoch_are_the_samplers(there, per_rank, ranks):
    images = per_rank * ranks
    sampler = EpochSampler(there, images, 0, 0, ranks)
    assert batch(images, ranks=ranks, there=there).per_epoch == math.ceil(len(sampler) / per_rank)
