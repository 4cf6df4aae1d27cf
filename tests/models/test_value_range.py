"""Images whose values are not in 0..255 look to the weights as photos do."""

import pytest
import torch
from small_models import small_unet

from segmentation.classes import ClassTable
from segmentation.models import Encoder, save_model

LOW, HIGH = (100.0, 0.0, -3.0, 2000.0), (3000.0, 0.25, 4.0, 2001.0)


def test_the_range_is_to_the_model_what_bytes_are():
    model, other = small_unet(in_channels=4), small_unet(in_channels=4)
    photos = torch.rand(2, 4, 32, 32) * 255
    low, high = (torch.tensor(end).view(1, 4, 1, 1) for end in (LOW, HIGH))
    other.set_value_range(LOW, HIGH)
    sensor = low + photos / 255 * (high - low)
    torch.testing.assert_close(other(sensor), model(photos), rtol=1e-2, atol=1e-2)
    assert other.encoder.mean == pytest.approx(other.mean.flatten().tolist())


def test_a_range_that_comes_with_the_weights_is_kept(tmp_path):
    earlier = small_unet(in_channels=4)
    earlier.set_value_range(LOW, HIGH)
    classes = ClassTable(tuple("abcde"), ((0, 0, 0),) * 5)
    save_model(earlier, tmp_path / "sensor", classes, None)
    encoder = Encoder("test_resnet", 4, weights=str(tmp_path / "sensor"))
    kept = encoder.mean
    encoder.set_value_range((0,) * 4, (1,) * 4)
    assert encoder.mean == kept == pytest.approx(earlier.encoder.mean, rel=1e-5)
    save_model(small_unet(), tmp_path / "photos", classes, None)
    encoder = Encoder("test_resnet", 4, weights=str(tmp_path / "photos"))
    encoder.set_value_range((0,) * 4, (1,) * 4)
    assert max(encoder.mean) < 1
