"""Losses of image-level targets: values by hand and by libraries, and nothing from empty cells."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from segmentation.classes import VOID
from segmentation.errors import ConfigError
from segmentation.models import Outputs, TargetOutputs
from segmentation.targets import NO_CATEGORY, TargetColumns
from segmentation.training.losses import CrossEntropy, TargetLoss, TaskLoss, WeightedSum, Weighting
from segmentation.training.losses.targets import VALUES_LOSSES, category_loss, ccc, huber, mse

COLUMNS = TargetColumns("scene", ("a", "b", "c"), ("x", "y"), (1.0, 10.0), (2.0, 5.0))
NAN = float("nan")


def tensor(*rows):
    return torch.tensor(rows, dtype=torch.float64)


# ---- values


def test_cross_entropy_by_hand():
    logits = torch.log(tensor([0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]))
    category = torch.tensor([0, NO_CATEGORY, 2])
    expected = -(math.log(0.5) + math.log(0.6)) / 2
    assert category_loss(logits, category).item() == pytest.approx(expected)


def test_mse_and_huber_by_hand():
    predicted, values = tensor([0.0, 1.0], [2.0, 0.0]), tensor([0.5, NAN], [-1.0, 2.0])
    assert mse(predicted, values).item() == pytest.approx((0.25 + 9 + 4) / 3)
    assert huber(predicted, values).item() == pytest.approx((0.125 + 2.5 + 1.5) / 3)


def lin(predicted, values):
    """Lin (1989), with the moments of the sample."""
    covariance = np.mean((predicted - predicted.mean()) * (values - values.mean()))
    spread = predicted.var() + values.var() + (predicted.mean() - values.mean()) ** 2
    return 2 * covariance / spread


def test_concordance_by_lins_formula():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(20, 2))
    predicted = 0.7 * values + rng.normal(size=(20, 2)) * 0.3 + 0.2
    there = rng.random((20, 2)) < 0.7
    expected = np.mean(
        [1 - lin(predicted[there[:, k], k], values[there[:, k], k]) for k in range(2)]
    )
    given_values = torch.from_numpy(np.where(there, values, np.nan))
    assert ccc(torch.from_numpy(predicted), given_values).item() == pytest.approx(expected)


def test_concordance_at_its_ends():
    values = tensor([1.0], [2.0], [4.0])
    assert ccc(values, values).item() == pytest.approx(0)
    assert ccc(-(values - values.mean()) + values.mean(), values).item() == pytest.approx(2)
    assert ccc(torch.ones_like(values), values).item() == pytest.approx(1)  # a constant
    assert ccc(values + 3, values).item() > 0.5  # Pearson's r would be 1


@pytest.mark.parametrize("values", [[[2.0], [NAN], [NAN]], [[2.0], [2.0], [2.0]], [[NAN]] * 3])
def test_concordance_needs_two_different_values(values):
    predicted = tensor([1.0], [2.0], [3.0]).requires_grad_()
    loss = ccc(predicted, tensor(*values))
    loss.backward()
    assert loss.item() == 0
    assert (predicted.grad == 0).all()
    two = torch.cat([tensor(*values), tensor([0.0], [1.0], [5.0])], dim=1)
    alone = ccc(predicted.detach(), two[:, 1:])
    torch.testing.assert_close(ccc(predicted.detach().expand(3, 2), two), alone)


# ---- empty cells

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 3))
NUMBERS = st.floats(-1e3, 1e3, width=32)


@st.composite
def batches(draw):
    shape = draw(SHAPES)
    arrays = [draw(hnp.arrays(np.float32, shape, elements=NUMBERS)) for _ in range(2)]
    return *arrays, draw(hnp.arrays(bool, shape))


@pytest.mark.parametrize("name", VALUES_LOSSES)
@given(batch=batches())
def test_empty_values_have_no_influence_and_no_gradient(name, batch):
    predicted, values, there = (torch.from_numpy(array) for array in batch)
    predicted.requires_grad_()
    loss = VALUES_LOSSES[name](predicted, torch.where(there, values, NAN))
    assert torch.isfinite(loss)
    loss.backward()
    assert torch.isfinite(predicted.grad).all()
    assert (predicted.grad[~there] == 0).all()
    other = torch.where(there, predicted.detach(), predicted.detach() * 3 - 50)
    again = VALUES_LOSSES[name](other, torch.where(there, values, NAN))
    torch.testing.assert_close(again, loss.detach(), atol=1e-4, rtol=1e-4)
    if not there.any():
        assert loss.item() == 0


@given(
    logits=hnp.arrays(np.float32, (5, 3), elements=st.floats(-50, 50, width=32)),
    category=hnp.arrays(np.int64, 5, elements=st.integers(-1, 2)),
)
def test_empty_categories_have_no_influence_and_no_gradient(logits, category):
    logits, category = torch.from_numpy(logits).requires_grad_(), torch.from_numpy(category)
    loss = category_loss(logits, category)
    loss.backward()
    there = category != NO_CATEGORY
    assert (logits.grad[~there] == 0).all()
    if there.any():
        expected = nn.functional.cross_entropy(logits[there], category[there])
        torch.testing.assert_close(loss, expected)
    else:
        assert loss.item() == 0


# ---- together


def outputs(images=4, requires_grad=True):
    generator = torch.Generator().manual_seed(0)
    tensors = [
        torch.randn(shape, generator=generator).requires_grad_(requires_grad)
        for shape in ((images, 5, 6, 6), (images, 3), (images, 2))
    ]
    return Outputs(tensors[0], TargetOutputs(tensors[1], tensors[2]))


def batch(images=4, empty=False):
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(images, 2, generator=generator) * 3 + 5
    return {
        "mask": torch.randint(0, 5, (images, 6, 6), generator=generator).to(torch.uint8),
        "category": torch.full((images,), NO_CATEGORY) if empty else torch.arange(images) % 3,
        "values": values * NAN if empty else values,
    }


def segmentation():
    return WeightedSum({"cross_entropy": CrossEntropy()}, {"cross_entropy": 1.0})


def task_loss(kind="fixed", values_loss="mse", segments=True, **weights):
    weights = {"segmentation": 1.0, "category": 1.0, "values": 1.0, **weights}
    tasks = ["segmentation", "category", "values"][not segments :]
    return TaskLoss(
        segmentation() if segments else None,
        TargetLoss(COLUMNS, values_loss),
        Weighting(tasks, weights, kind),
    )


def test_the_segmentation_alone_costs_what_it_did():
    out, given_batch = outputs(), batch()
    expected, parts = segmentation()(out.logits, given_batch["mask"].long())
    total, found = TaskLoss(segmentation())(Outputs(out.logits, None), given_batch)
    assert torch.equal(total, expected)
    assert found == parts


@pytest.mark.parametrize("values_loss", VALUES_LOSSES)
def test_fixed_weights(values_loss):
    out, given_batch = outputs(), batch()
    total, parts = task_loss(values_loss=values_loss, segmentation=2.0, values=0.5)(
        out, given_batch
    )
    assert set(parts) == {"segmentation", "category", "values"}
    expected = 2 * parts["segmentation"] + parts["category"] + 0.5 * parts["values"]
    torch.testing.assert_close(total, expected)
    standard = (given_batch["values"] - torch.tensor([1.0, 10.0])) / torch.tensor([2.0, 5.0])
    torch.testing.assert_close(parts["values"], VALUES_LOSSES[values_loss](
        out.targets.values.detach(), standard))  # fmt: skip
    assert not any(part.requires_grad for part in parts.values())


def test_learned_uncertainty_by_hand():
    loss, out, given_batch = task_loss("uncertainty", category=3.0), outputs(), batch()
    log_variance = torch.tensor([0.2, -0.7, 1.1])
    loss.weighting.log_variance.data = log_variance.clone()
    total, parts = loss(out, given_batch)
    s, c, v = (parts[task] for task in ("segmentation", "category", "values"))
    expected = (
        s * math.exp(-0.2) + 0.1 + 3 * (c * math.exp(0.7) - 0.35) + 0.5 * v * math.exp(-1.1) + 0.55
    )
    torch.testing.assert_close(total, expected)
    assert parts["weight_category"].item() == pytest.approx(3 * math.exp(0.7))
    assert parts["weight_values"].item() == pytest.approx(0.5 * math.exp(-1.1))
    total.backward()
    # the minimum over log s^2 of L exp(-x) + x / 2 lies at x = log(2 L)
    gradient = loss.weighting.log_variance.grad
    torch.testing.assert_close(gradient[0], 0.5 - s * math.exp(-0.2))
    torch.testing.assert_close(gradient[2], 0.5 - 0.5 * v * math.exp(-1.1))


@pytest.mark.parametrize("kind", ["fixed", "uncertainty"])
@pytest.mark.parametrize("values_loss", VALUES_LOSSES)
def test_a_batch_of_empty_cells_costs_exactly_nothing(kind, values_loss):
    out, given_batch = outputs(), batch(empty=True)
    loss = task_loss(kind, values_loss, segments=False)
    if kind == "uncertainty":
        loss.weighting.log_variance.data += 0.3
    total, _ = loss(out, given_batch)
    assert total.item() == 0
    total.backward()
    assert (out.targets.category.grad == 0).all()
    assert (out.targets.values.grad == 0).all()
    assert all((parameter.grad == 0).all() for parameter in loss.parameters())


def test_a_mask_of_void_leaves_the_segmentations_variance():
    out, given_batch = outputs(), batch()
    given_batch["mask"] = torch.full_like(given_batch["mask"], VOID)
    loss = task_loss("uncertainty")
    loss(out, given_batch)[0].backward()
    gradient = loss.weighting.log_variance.grad
    assert gradient[0] == 0
    assert (gradient[1:] != 0).all()


def test_uncertainty_learns_to_balance():
    """A task whose loss cannot fall below L ends at a variance of 2 L (classification)."""
    weighting = Weighting(["category", "values"], {"category": 1, "values": 1}, "uncertainty")
    optimizer = torch.optim.Adam(weighting.parameters(), 0.05)
    there = torch.tensor(True)
    for _ in range(400):
        losses = {"category": (torch.tensor(0.1), there), "values": (torch.tensor(4.0), there)}
        total, _ = weighting(losses)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    variance = weighting.log_variance.detach().exp()
    torch.testing.assert_close(variance, torch.tensor([0.2, 4.0]), rtol=0.02, atol=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: TargetLoss(COLUMNS, "mea"),
            "'mea' is unknown; use one of mse, huber",
        ),
        (lambda: Weighting(["values"], {"values": 1}, "uncertain"), "Did you mean 'uncertainty'"),
        (lambda: Weighting(["values"], {"values": -1}), "task.weights.values is -1: .* 0 or more"),
        (lambda: Weighting(["values"], {"values": 0}), "of values are all 0"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
