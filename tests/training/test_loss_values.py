"""The values of the losses: against torch, SMP and NumPy, and derived by hand."""

import math

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from loss_examples import example, tensor
from segmentation_models_pytorch.losses._functional import softmax_focal_loss_with_logits

from segmentation.classes import VOID
from segmentation.training import losses
from segmentation.training.losses.lovasz import jaccard_gradient

weighted = pytest.mark.parametrize(
    "weights", [None, (0.5, 1.0, 2.0, 4.0)], ids=["plain", "weights"]
)


def from_probabilities(*pixels):
    """Logits, shape (1, C, 1, pixels), whose softmax is `pixels`."""
    return torch.tensor(pixels, dtype=torch.float64).log().T[None, :, None]


@weighted
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_cross_entropy_is_torchs(weights, smoothing):
    logits, target = example()
    expected = F.cross_entropy(
        logits, target, tensor(weights), ignore_index=VOID, label_smoothing=smoothing
    )
    ours = losses.CrossEntropy(smoothing, tensor(weights))(logits, target)
    assert torch.allclose(ours, expected)


@weighted
@pytest.mark.parametrize("present", [4, 3], ids=["all_classes", "one_absent"])
@pytest.mark.parametrize(
    ("make", "reference", "options"),
    [
        (losses.Dice, smp.losses.DiceLoss, {}),
        (losses.Jaccard, smp.losses.JaccardLoss, {}),
        (losses.Tversky, smp.losses.TverskyLoss, {"alpha": 0.2, "beta": 0.9}),
    ],
    ids=["dice", "jaccard", "tversky"],
)
def test_region_losses_are_smps_but_for_absent_classes(make, reference, options, present, weights):
    logits, target = example(dtype=torch.float64)
    target[(target >= present) & (target != VOID)] = 0
    expected = reference(
        "multiclass", from_logits=True, ignore_index=VOID, class_weights=weights, **options
    )(logits, target)
    # SMP counts an absent class in the mean, with a loss of 0.
    counted = torch.tensor(weights or (1.0,) * 4, dtype=torch.float64)
    expected = expected * counted.sum() / counted[:present].sum()
    assert torch.allclose(make(**options, class_weights=tensor(weights))(logits, target), expected)


@pytest.mark.parametrize("void", [0.0, 0.3])
@pytest.mark.parametrize("absent", [False, True])
def test_lovasz_is_smps(void, absent):
    logits, target = example(shape=(3, 4, 17, 13), void=void)
    if absent:
        target[target == 2] = 1
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    value = losses.Lovasz()(ours, target)
    expected = smp.losses.LovaszLoss("multiclass", ignore_index=VOID)(theirs, target)
    assert torch.allclose(value, expected, atol=1e-6)
    value.backward()
    expected.backward()
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-7)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_is_smps_softmax_form(gamma):
    logits, target = example(void=0)
    expected = softmax_focal_loss_with_logits(logits, target, gamma=gamma)
    assert torch.allclose(losses.Focal(gamma)(logits, target), expected)


@weighted
def test_focal_of_gamma_0_and_ohem_of_all_pixels_are_cross_entropy(weights):
    logits, target = example()
    expected = losses.CrossEntropy(0.0, tensor(weights))(logits, target)
    assert torch.allclose(losses.Focal(0.0, tensor(weights))(logits, target), expected)
    ohem = losses.OHEMCrossEntropy(0.7, 1.0, tensor(weights))
    assert torch.allclose(ohem(logits, target), expected)


@weighted
@pytest.mark.parametrize("threshold", [0.001, 0.3, 0.9])
@pytest.mark.parametrize("keep", [0.01, 0.25, 0.6])
def test_ohem_is_the_mean_of_the_hard_pixels(threshold, keep, weights):
    logits, target = example()
    pixel_weights = np.array(weights or (1.0,) * 4)
    probabilities = logits.softmax(1).movedim(1, -1).reshape(-1, 4).numpy().astype(float)
    labels = target.flatten().numpy()
    rows = np.flatnonzero(labels != VOID)
    own = probabilities[rows, labels[rows]]
    hardest_first = np.argsort(own)
    count = max(int(keep * labels.size), (own <= threshold).sum())
    chosen = hardest_first[:count]
    weight = pixel_weights[labels[rows][chosen]]
    expected = -(weight * np.log(own[chosen])).sum() / weight.sum()
    ohem = losses.OHEMCrossEntropy(threshold, keep, tensor(weights))
    assert ohem(logits, target).item() == pytest.approx(expected, rel=1e-5)


def test_values_derived_by_hand():
    # One pixel of class 0 that gets 0.8, one of class 1 that gets 0.6, one void.
    logits = from_probabilities((0.8, 0.2), (0.4, 0.6), (0.5, 0.5))
    target = torch.tensor([[[0, 1, VOID]]])
    log = math.log
    # class: TP, FP, FN.   0: 0.8, 0.4, 0.2.   1: 0.6, 0.2, 0.4.
    expected = {
        losses.CrossEntropy(): -(log(0.8) + log(0.6)) / 2,
        losses.CrossEntropy(class_weights=torch.tensor([1.0, 3.0])): -(log(0.8) + 3 * log(0.6)) / 4,
        losses.CrossEntropy(0.2): -(
            0.9 * log(0.8) + 0.1 * log(0.2) + 0.9 * log(0.6) + 0.1 * log(0.4)
        )
        / 2,
        losses.Focal(2.0): -(0.2**2 * log(0.8) + 0.4**2 * log(0.6)) / 2,
        losses.OHEMCrossEntropy(0.7, 0.4): -log(0.6),
        losses.Dice(): 1 - (1.6 / 2.2 + 1.2 / 1.8) / 2,
        losses.Dice(torch.tensor([1.0, 3.0])): 1 - (1.6 / 2.2 + 3 * 1.2 / 1.8) / 4,
        losses.Jaccard(): 1 - (0.8 / 1.4 + 0.6 / 1.2) / 2,
        losses.Tversky(0.3, 0.7): 1
        - (0.8 / (0.8 + 0.3 * 0.4 + 0.7 * 0.2) + 0.6 / (0.6 + 0.3 * 0.2 + 0.7 * 0.4)) / 2,
        # Errors, largest first. Class 0: 0.4 outside takes the Jaccard loss to 1/2, then 0.2 inside
        # to 1. Class 1: 0.4 inside takes it to 1, where 0.2 outside leaves it.
        losses.Lovasz(): ((0.4 / 2 + 0.2 / 2) + 0.4) / 2,
        losses.Lovasz(torch.tensor([1.0, 3.0])): (0.3 + 3 * 0.4) / 4,
    }
    for loss, value in expected.items():
        assert loss(logits, target).item() == pytest.approx(value, rel=1e-6), loss


def test_lovasz_gradient_keeps_its_digits_in_a_large_batch():
    generator = torch.Generator().manual_seed(0)
    errors = torch.rand(100_000, generator=generator)
    inside = torch.rand(100_000, generator=generator) < 0.3
    gradient = jaccard_gradient(errors, inside)
    order = errors.argsort(descending=True)
    hit = inside[order].double()
    jaccard = 1 - (hit.sum() - hit.cumsum(0)) / (hit.sum() + (1 - hit).cumsum(0))
    expected = torch.cat([jaccard[:1], jaccard.diff()])
    # Equal errors may take either order: compare the sums over the runs between distinct ones.
    run = errors[order].unique_consecutive(return_inverse=True)[1]
    sums = torch.zeros(int(run[-1]) + 1, dtype=torch.float64)
    ours = sums.clone().index_add(0, run, gradient[order].double())
    assert torch.allclose(ours, sums.index_add(0, run, expected), rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        (0.25, -math.log(0.1)),  # 2 of 8 pixels: both labelled ones of probability 0.1
        (0.5, (-2 * math.log(0.1) - 2 * math.log(0.8)) / 4),  # 4 of 8: every labelled pixel
        (
            0.75,
            (-2 * math.log(0.1) - 2 * math.log(0.8)) / 4,
        ),  # 6 of 8: two are void and do not count
        (1.0, (-2 * math.log(0.1) - 2 * math.log(0.8)) / 4),
    ],
)
def test_ohem_counts_no_void_pixel_whatever_it_keeps(keep, expected):
    """Void pixels are part of the batch whose share is kept, but never of the mean."""
    right = torch.tensor([0.1, 0.8, 0.1, 0.8, 0.01, 0.01, 0.99, 0.99])
    logits = torch.stack([right, 1 - right]).log().view(1, 2, 2, 4)
    target = torch.tensor([0, 0, 0, 0, VOID, VOID, VOID, VOID]).view(1, 2, 4)
    loss = losses.OHEMCrossEntropy(threshold=1e-6, keep=keep)
    assert loss(logits, target).item() == pytest.approx(expected, rel=1e-5)
