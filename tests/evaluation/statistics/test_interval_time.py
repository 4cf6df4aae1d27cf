"""How long the intervals of a test set as large as CamVid's take."""

import time

import arch.bootstrap  # noqa: F401  # its import takes seconds, once
import numpy as np
import pytest
from populations import latent, scored

from segmentation.evaluation.statistics.intervals import run_estimates
from segmentation.evaluation.statistics.plan import plan

IMAGES, CLASSES = 233, 11


def frames():
    """Return matrices whose neighbours are alike in what they hold and in how hard they are."""
    random = np.random.default_rng(0)
    size, odds = (latent(random, IMAGES, CLASSES, 0.8) for _ in range(2))
    pixels = np.round(10_000 * np.exp(0.3 * size)).astype(np.int64)
    right = np.floor(pixels / (1 + np.exp(-odds - 1))).astype(np.int64)
    confusion = np.zeros((IMAGES, CLASSES, CLASSES), dtype=np.int64)
    places = np.arange(CLASSES)
    confusion[:, places, places] = right
    confusion[:, places, (places + 1) % CLASSES] = pixels - right
    return confusion


@pytest.mark.slow
@pytest.mark.parametrize("by", ["image", "block"])
def test_ten_thousand_resamples_take_less_than_two_seconds(by):
    run = scored(frames(), [f"clip_{index:05d}" for index in range(IMAGES)])
    begin = time.process_time()
    resampling = plan([run], by, resamples=10_000)
    found = run_estimates(run, resampling)
    took = time.process_time() - begin
    assert resampling.by == by
    assert found.miou.interval.known
    assert took < 2.0
    print(f"{by}: {took:.2f} s")
