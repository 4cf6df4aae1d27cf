"""Calibration, against torchmetrics and by hand."""

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassCalibrationError

from segmentation.classes import VOID
from segmentation.metrics.calibration import BINS, UNIT, calibration
from segmentation.metrics.counting import confidence_counts


def made(seed=0, classes=4, size=(24, 30), sharpness=3.0):
    random = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(classes, *size, generator=random)
    labels = torch.randint(0, classes, size, generator=random)
    labels[:3] = VOID
    return labels, logits


def summed(images):
    return sum(confidence_counts(*image) for image in images).numpy()


def test_the_error_is_that_of_torchmetrics():
    images = [made(seed) for seed in range(3)]
    reference = MulticlassCalibrationError(4, n_bins=BINS, norm="l1", ignore_index=VOID)
    for labels, logits in images:
        reference.update(logits[None].softmax(1), labels[None])
    assert calibration(summed(images)).ece == pytest.approx(float(reference.compute()), abs=1e-6)


def test_of_each_class_it_is_that_of_the_pixels_predicted_as_it():
    labels, logits = made()
    found = calibration(summed([(labels, logits)]))
    for index in range(4):
        only = torch.where(logits.argmax(0) == index, labels, VOID)
        alone = calibration(summed([(only, logits)]))
        assert found.classes[index] == pytest.approx(alone.ece, abs=1e-12)


def test_void_is_not_counted_and_every_other_pixel_is():
    labels, logits = made()
    counts = summed([(labels, logits)])
    assert counts[..., 0].sum() == (labels != VOID).sum()
    right = (logits.argmax(0) == labels).sum()
    assert counts[..., 1].sum() == right
    most = logits.softmax(0).amax(0)[labels != VOID].double().sum()
    assert counts[..., 2].sum() / UNIT == pytest.approx(float(most), rel=1e-7)
    assert np.isclose(calibration(counts).share.sum(), 1)


def test_certain_and_right_is_no_error_and_certain_and_wrong_is_the_whole():
    logits = torch.zeros(2, 5, 5)
    logits[1] = 100.0
    right, wrong = torch.ones(5, 5, dtype=torch.long), torch.zeros(5, 5, dtype=torch.long)
    assert calibration(summed([(right, logits)])).ece == 0
    assert calibration(summed([(wrong, logits)])).ece == 1


def test_without_a_labelled_pixel_there_is_none():
    found = calibration(summed([(torch.full((4, 4), VOID), torch.zeros(3, 4, 4))]))
    assert np.isnan(found.ece)
    assert np.isnan(found.classes).all()


def test_the_order_of_images_changes_no_digit():
    images = [made(seed, sharpness=1.0) for seed in range(5)]
    assert (summed(images) == summed(images[::-1])).all()
