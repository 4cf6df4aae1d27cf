"""What every loss keeps to."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_examples import LOSSES, example, tensor

from segmentation.classes import VOID
from segmentation.errors import ConfigError
from segmentation.training import losses

every_loss = pytest.mark.parametrize("make", LOSSES.values(), ids=LOSSES.keys())
weighted = pytest.mark.parametrize(
    "weights", [None, (0.5, 1.0, 2.0, 4.0)], ids=["plain", "weights"]
)


def test_every_loss_is_in_the_contract_below():
    tried = {type(make()) for make in LOSSES.values()}
    exported = {getattr(losses, name) for name in losses.__all__}
    per_pixel = {one for one in exported if issubclass(one, losses.SegmentationLoss)}
    assert tried == per_pixel - {losses.SegmentationLoss}


@every_loss
@weighted
@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(st.integers(1, 3), st.just(4), st.integers(1, 6), st.integers(1, 6)),
    void=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
)
def test_void_has_no_gradient_and_no_influence(make, weights, seed, shape, void):
    logits, target = example(seed, shape, void)
    loss = make(class_weights=tensor(weights))
    logits.requires_grad_()
    value = loss(logits, target)
    value.backward()
    is_void = (target == VOID).unsqueeze(1).expand_as(logits)
    assert torch.isfinite(value)
    assert logits.grad.isfinite().all()
    assert (logits.grad[is_void] == 0).all()
    other = torch.where(is_void, torch.randn_like(logits) * 10, logits.detach())
    assert torch.allclose(loss(other, target), value, rtol=1e-5, atol=1e-7)


@every_loss
@weighted
def test_a_batch_of_void_costs_nothing(make, weights):
    logits, _ = example()
    logits.requires_grad_()
    value = make(class_weights=tensor(weights))(logits, torch.full((2, 5, 6), VOID))
    value.backward()
    assert value.item() == 0
    assert (logits.grad == 0).all()


@every_loss
def test_a_class_of_weight_0_alone_in_the_batch_costs_nothing(make):
    logits, _ = example()
    logits.requires_grad_()
    value = make(class_weights=torch.tensor([0.0, 1.0, 1.0, 1.0]))(
        logits, torch.zeros(2, 5, 6, dtype=torch.long)
    )
    value.backward()
    if make is not LOSSES["smoothed"]:  # its labels have a share of the other classes
        assert value.item() == 0
    assert logits.grad.isfinite().all()


@every_loss
@weighted
def test_gradient_is_that_of_the_value(make, weights):
    logits, target = example(shape=(2, 4, 2, 2), dtype=torch.float64)
    loss = make(
        class_weights=None if weights is None else torch.tensor(weights, dtype=torch.float64)
    )
    assert torch.autograd.gradcheck(lambda x: loss(x, target), logits.requires_grad_())


@every_loss
@weighted
def test_order_of_pixels_does_not_matter(make, weights):
    logits, target = example(dtype=torch.float64)
    order = torch.randperm(target.numel(), generator=torch.Generator().manual_seed(1))
    shuffled = logits.movedim(1, -1).reshape(-1, 4)[order].T[None, :, None]
    loss = make(class_weights=tensor(weights))
    expected = loss(logits, target)
    assert torch.allclose(loss(shuffled, target.flatten()[order][None, None]), expected)


@every_loss
def test_names_of_classes_do_not_matter(make):
    logits, target = example()
    weights = torch.tensor([0.5, 1.0, 2.0, 4.0])
    order = torch.tensor([2, 0, 3, 1])  # new class i is the old class order[i]
    renamed = F.pad(order.argsort(), (0, 252), value=VOID)[target]
    expected = make(class_weights=weights)(logits, target)
    assert torch.allclose(make(class_weights=weights[order])(logits[:, order], renamed), expected)


@every_loss
def test_sure_and_right_costs_nothing_and_sure_and_wrong_costs_much(make):
    _, target = example(void=0)
    right = 50.0 * F.one_hot(target, 4).movedim(-1, 1)
    if make is not LOSSES["smoothed"]:
        assert make()(right, target) < 1e-6
    assert make()(right.roll(1, dims=1), target) > 0.99


@every_loss
def test_a_logit_that_is_not_a_number_shows_in_the_loss(make):
    logits, target = example(void=0)
    logits[1, 2, 3, 4] = math.nan
    assert make()(logits, target).isnan()


@every_loss
def test_one_image_of_one_pixel(make):
    logits = torch.tensor([1.0, 0.0, -1.0, 2.0]).view(1, 4, 1, 1).requires_grad_()
    make()(logits, torch.tensor([[[3]]])).backward()
    assert logits.grad[0, 3] < 0


@every_loss
@weighted
def test_computes_in_float32_under_autocast(make, weights):
    logits, target = example(shape=(2, 4, 33, 31))
    half = logits.bfloat16().requires_grad_()
    loss = make(class_weights=tensor(weights))
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(half, target)
    value.backward()
    assert value.dtype == torch.float32
    assert half.grad.dtype == torch.bfloat16
    assert value == loss(half.detach().float(), target)


@every_loss
@weighted
@pytest.mark.parametrize("layout", ["channels_last", "cropped"])
def test_memory_layout_does_not_matter(make, weights, layout):
    logits, target = example()
    if layout == "channels_last":
        other = logits.to(memory_format=torch.channels_last)
    else:
        other = F.pad(logits, (1, 2, 3, 4))[..., 3:-4, 1:-2]
    loss = make(class_weights=tensor(weights))
    assert torch.allclose(loss(other, target), loss(logits, target))


@pytest.mark.slow
def test_all_compile_to_one_graph_so_nothing_is_read_back():
    weights = torch.tensor([0.5, 1.0, 2.0, 4.0])
    terms = {name: make(class_weights=weights) for name, make in LOSSES.items()}
    loss = losses.WeightedSum(terms, dict.fromkeys(terms, 1.0))
    logits, target = example()
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    total, parts = compiled(logits.requires_grad_(), target)
    total.backward()
    gradient, logits.grad = logits.grad, None
    expected, expected_parts = loss(logits, target)
    expected.backward()
    for name in terms:
        assert torch.allclose(parts[name], expected_parts[name]), name
    assert torch.allclose(gradient, logits.grad, atol=1e-6)


@every_loss
def test_class_weights_are_checked_and_not_part_of_the_state(make):
    assert not make(class_weights=torch.ones(4)).state_dict()
    logits, target = example()
    with pytest.raises(ConfigError, match="3 class weights for a model of 4 classes"):
        make(class_weights=torch.ones(3))(logits, target)
    for wrong in ([1.0, -1.0], [1.0, math.nan], [[1.0]]):
        with pytest.raises(ConfigError, match="one finite number of 0 or more for each class"):
            make(class_weights=torch.tensor(wrong))


@every_loss
def test_equal_class_weights_change_nothing(make):
    logits, target = example()
    assert torch.allclose(
        make(class_weights=torch.full((4,), 3.0))(logits, target), make()(logits, target)
    )
