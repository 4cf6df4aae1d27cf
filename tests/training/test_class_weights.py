import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segmentation.errors import ConfigError, DataError
from segmentation.training.class_weights import class_weights


def test_values_derived_by_hand():
    # Two images of 100 pixels. Class 0: 80 and 60 of 200. Class 1: 20 and 30 of 200.
    # Class 2: 10 of the second image's 100. Frequencies 0.7, 0.25, 0.1; the median is 0.25.
    pixels, image_pixels = np.array([140, 50, 10]), np.array([200, 200, 100])
    expected = torch.tensor([0.25 / 0.7, 1.0, 2.5])
    weights = class_weights("median_frequency", pixels, image_pixels)
    assert weights.dtype == torch.float32
    assert torch.allclose(weights, expected)
    assert torch.allclose(
        class_weights("sqrt_median_frequency", pixels, image_pixels), expected.sqrt()
    )
    assert class_weights("none", pixels, image_pixels) is None


def test_an_absent_class_weighs_1_and_leaves_the_others_alone():
    pixels, image_pixels = np.array([140, 0, 50, 10]), np.array([200, 0, 200, 100])
    weights = class_weights("median_frequency", pixels, image_pixels)
    assert torch.allclose(weights, torch.tensor([0.25 / 0.7, 1.0, 1.0, 2.5]))


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=20),
    st.sampled_from(["median_frequency", "sqrt_median_frequency"]),
)
def test_weights_are_finite_positive_and_fall_with_frequency(counts, kind):
    pixels = np.array([own for own, _ in counts])
    image_pixels = pixels + np.array([others for _, others in counts])
    if not pixels.any():
        pixels[0] = image_pixels[0] = 1
    weights = class_weights(kind, pixels, image_pixels).numpy()
    assert np.isfinite(weights).all()
    assert (weights > 0).all()
    present = pixels > 0
    frequency = pixels[present] / image_pixels[present]
    rarest_first = weights[present][np.argsort(frequency)]
    assert (np.diff(rarest_first) <= 0).all()


def test_all_void_is_refused():
    with pytest.raises(DataError, match="every pixel of the training split is void"):
        class_weights("median_frequency", np.zeros(3, int), np.zeros(3, int))


def test_unknown_kind_is_refused_with_the_nearest():
    with pytest.raises(
        ConfigError,
        match=r"loss.class_weights=median_freqency is unknown.*Did you mean 'median_frequency'",
    ):
        class_weights("median_freqency", np.ones(3), np.ones(3))
