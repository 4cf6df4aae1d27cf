"""Several ranks have the loss, and by the mean of their gradients the gradient, of one process."""

import pytest
import torch
from fake_ranks import in_ranks
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_examples import LOSSES, example, tensor

from segmentation.classes import VOID
from segmentation.models import Outputs, TargetOutputs
from segmentation.targets import NO_CATEGORY, TargetColumns
from segmentation.training import losses
from segmentation.training.losses.targets import VALUES_LOSSES, category_loss

PER_RANK = ("ohem", "lovasz")  # what these choose or sort stays within a rank
EXACT = {name: make for name, make in LOSSES.items() if name not in PER_RANK}
exact_loss = pytest.mark.parametrize("make", EXACT.values(), ids=EXACT.keys())
every_loss = pytest.mark.parametrize("make", LOSSES.values(), ids=LOSSES.keys())
weighted = pytest.mark.parametrize(
    "weights", [None, (0.5, 1.0, 2.0, 4.0)], ids=["plain", "weights"]
)


def value_and_gradient(loss, predicted, target):
    predicted = predicted.detach().clone().requires_grad_()
    value = loss(predicted, target)
    value.backward()
    return value.detach(), predicted.grad


def compare(loss, predicted, target, ranks):
    """Compare one process with ranks that have every `ranks`-th sample, as our sampler deals."""
    expected, gradient = value_and_gradient(loss, predicted, target)
    shares = [(loss, predicted[rank::ranks], target[rank::ranks]) for rank in range(ranks)]
    results, messages = in_ranks(value_and_gradient, shares)
    for rank, (value, share) in enumerate(results):
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(share / ranks, gradient[rank::ranks])  # DDP's mean
    return messages


def double(weights):
    return None if weights is None else tensor(weights).double()


@exact_loss
@weighted
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), ranks=st.integers(2, 3), each=st.integers(1, 2))
def test_ranks_have_the_loss_and_gradient_of_one_process(make, weights, seed, ranks, each):
    logits, target = example(seed, (ranks * each, 4, 3, 5), dtype=torch.float64)
    void = torch.rand(ranks * each, generator=torch.Generator().manual_seed(seed))
    for image, share in enumerate(void):  # ranks hold different numbers of labelled pixels
        target[image, : int(4 * share)] = VOID
    assert compare(make(class_weights=double(weights)), logits, target, ranks) == 1


@exact_loss
@weighted
def test_a_rank_of_nothing_but_void_counts_for_nothing(make, weights):
    logits, target = example(shape=(2, 4, 5, 6), dtype=torch.float64)
    target[1] = VOID
    loss = make(class_weights=double(weights))
    compare(loss, logits, target, ranks=2)
    alone = loss(logits[:1], target[:1])
    (one, other), _ = in_ranks(
        value_and_gradient, [(loss, logits[rank : rank + 1], target[rank : rank + 1])
                             for rank in range(2)]
    )  # fmt: skip
    torch.testing.assert_close(one[0], alone)
    assert (other[1] == 0).all()


@every_loss
@weighted
def test_ranks_agree_on_the_loss_and_may_all_be_void(make, weights):
    logits, target = example(shape=(2, 4, 5, 6))
    loss = make(class_weights=tensor(weights))
    for labels in (target, torch.where(torch.tensor([False, True])[:, None, None], VOID, target),
                   torch.full_like(target, VOID)):  # fmt: skip
        shares = [(loss, logits[rank : rank + 1], labels[rank : rank + 1]) for rank in range(2)]
        ((one, first), (other, second)), messages = in_ranks(value_and_gradient, shares)
        assert one == other
        assert messages == 1
        assert one.isfinite()
        assert first.isfinite().all()
        assert second.isfinite().all()


def test_per_rank_choices_are_those_of_one_process_where_ranks_are_alike():
    logits, target = example(shape=(1, 4, 5, 6), dtype=torch.float64)
    for name in PER_RANK:
        loss = LOSSES[name]()
        both = loss(logits.repeat(2, 1, 1, 1), target.repeat(2, 1, 1))
        (one, other), _ = in_ranks(loss, [(logits, target)] * 2)
        torch.testing.assert_close(one, both)
        torch.testing.assert_close(other, both)


def test_hard_pixels_by_threshold_alone_are_those_of_one_process():
    logits, target = example(shape=(4, 4, 5, 6), dtype=torch.float64)
    loss = losses.OHEMCrossEntropy(threshold=0.9, keep=0.01)
    compare(loss, logits, target, ranks=2)


# ---- image-level targets


def targets(seed, images=6, columns=2):
    generator = torch.Generator().manual_seed(seed)
    predicted = torch.randn(images, columns, generator=generator, dtype=torch.float64)
    values = predicted + torch.randn(images, columns, generator=generator, dtype=torch.float64)
    values[torch.rand(images, columns, generator=generator) < 0.3] = float("nan")
    return predicted, values


@pytest.mark.parametrize("name", VALUES_LOSSES)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), ranks=st.integers(2, 3))
def test_values_over_ranks(name, seed, ranks):
    predicted, values = targets(seed)
    assert compare(VALUES_LOSSES[name], predicted, values, ranks) == (2 if name == "ccc" else 1)


@pytest.mark.parametrize("name", VALUES_LOSSES)
def test_a_rank_without_values(name):
    predicted, values = targets(0)
    values[1::2] = float("nan")
    compare(VALUES_LOSSES[name], predicted, values, ranks=2)
    values[:] = float("nan")
    compare(VALUES_LOSSES[name], predicted, values, ranks=2)


def test_categories_over_ranks():
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for category in ([0, 1, NO_CATEGORY, 2, NO_CATEGORY, 0], [0, NO_CATEGORY] * 3,
                     [NO_CATEGORY] * 6):  # fmt: skip
        assert compare(category_loss, logits, torch.tensor(category), ranks=2) == 1


@pytest.mark.parametrize("labelled", ["all", "one rank", "none"])
@pytest.mark.parametrize("kind", ["fixed", "uncertainty"])
def test_all_tasks_together_over_ranks(kind, labelled):
    columns = TargetColumns("scene", ("a", "b", "c"), ("x", "y"), (0.0, 0.0), (1.0, 1.0))
    logits, mask = example(shape=(4, 4, 5, 6))
    predicted, values = targets(1, images=4)
    scenes = torch.randn(4, 3, generator=torch.Generator().manual_seed(2))
    category = torch.tensor([0, 1, NO_CATEGORY, 2])
    empty = {"all": slice(0, 0), "one rank": slice(1, None, 2), "none": slice(None)}[labelled]
    values[empty], category[empty], mask[empty] = float("nan"), NO_CATEGORY, VOID
    names = ("segmentation", "category", "values")

    def train(images):
        weighting = losses.Weighting(names, dict.fromkeys(names, 1.0), kind)
        loss = losses.TaskLoss(
            losses.WeightedSum({"dice": losses.Dice()}, {"dice": 1.0}),
            losses.TargetLoss(columns, "ccc"),
            weighting,
        )
        inputs = [one[images].clone().requires_grad_() for one in (logits, scenes, predicted)]
        batch = {"mask": mask[images], "category": category[images], "values": values[images]}
        outputs = Outputs(inputs[0], TargetOutputs(inputs[1], inputs[2].float()))
        total, _ = loss(outputs, batch)
        total.backward()
        gradients = [one.grad for one in inputs]
        if kind == "uncertainty":
            gradients.append(weighting.log_variance.grad)
        return total.detach(), gradients

    expected, whole = train(slice(None))
    results, _ = in_ranks(train, [(slice(rank, None, 2),) for rank in range(2)])
    for rank, (total, gradients) in enumerate(results):
        torch.testing.assert_close(total, expected)
        for share, full in zip(gradients[:3], whole[:3], strict=True):
            torch.testing.assert_close(share / 2, full[rank::2], atol=1e-6, rtol=1e-4)
        for share, full in zip(gradients[3:], whole[3:], strict=True):
            torch.testing.assert_close(share, full)  # each rank has the whole of it
