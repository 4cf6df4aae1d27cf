"""The head for image-level targets, on a UNet and alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_models import WIDTHS, pictures, small_unet
from torch import nn

from segmentation.errors import ModelError
from segmentation.models import Encoder, TargetHead, TargetModel, UNet, build_model
from segmentation.models.build import build_target_model
from segmentation.targets import TargetColumns

COLUMNS = TargetColumns("scene", ("a", "b", "c"), ("x", "y"), (10.0, -3.0), (2.0, 0.5))
VALUES = TargetColumns(values=("x",), mean=(0.0,), std=(1.0,))
SCENES = TargetColumns("scene", ("a", "b"))


def with_targets(columns=COLUMNS):
    torch.manual_seed(0)
    encoder = Encoder("test_resnet", 3, weights="none")
    return UNet(encoder, 5, columns, channels=WIDTHS).eval()


def test_the_head_starts_at_the_means_and_prefers_no_category():
    head = TargetHead(512, COLUMNS).eval()
    outputs = head(torch.rand(4, 512, 3, 5))
    assert outputs.category.shape == (4, 3)
    chance = outputs.category.softmax(dim=1)
    torch.testing.assert_close(chance, torch.full((4, 3), 1 / 3), atol=0.15, rtol=0)
    values = head.in_units(outputs.values)
    assert ((values - torch.tensor([10.0, -3.0])).abs() < torch.tensor([1.0, 0.25])).all()


def test_the_pooled_features_are_what_counts():
    head = TargetHead(8, COLUMNS).eval()
    features = torch.randn(2, 8, 4, 6)
    pooled = features.mean(dim=(2, 3))
    torch.testing.assert_close(head(features).values, nn.functional.linear(
        pooled, head.values.weight, head.values.bias))  # fmt: skip
    moved = features.flatten(2)[..., torch.randperm(24)].reshape(2, 8, 4, 6)
    torch.testing.assert_close(head(moved).category, head(features).category)


@pytest.mark.parametrize(("columns", "widths"), [(SCENES, (2, 0)), (VALUES, (0, 1))])
def test_a_kind_without_columns_has_no_outputs_and_no_weights(columns, widths, recwarn):
    head = TargetHead(8, columns)
    outputs = head(torch.randn(3, 8, 2, 2))
    assert (outputs.category.shape[1], outputs.values.shape[1]) == widths
    assert len(list(head.parameters())) == 2
    assert not recwarn.list


@given(values=st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=2))
def test_the_users_units_come_back(values):
    head = TargetHead(4, COLUMNS)
    hand = torch.tensor([values]) * torch.tensor([[2.0, 0.5]]) + torch.tensor([[10.0, -3.0]])
    torch.testing.assert_close(head.in_units(torch.tensor([values])), hand)


def test_the_head_computes_in_float32_under_autocast():
    model = with_targets()
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        outputs = model.forward_all(pictures(1, 3, 40, 40))
    assert outputs.logits.dtype == torch.bfloat16
    assert outputs.targets.category.dtype == outputs.targets.values.dtype == torch.float32


@pytest.mark.parametrize("size", [(32, 64), (33, 41)])
def test_everything_comes_from_one_pass_of_the_encoder(size):
    model, images = with_targets(), pictures(2, 3, *size)
    passes = []
    model.encoder.register_forward_hook(lambda *_: passes.append(1))
    with torch.no_grad():
        outputs = model.forward_all(images)
        assert len(passes) == 1
        assert torch.equal(outputs.logits, model(images))
        alone = TargetModel(model.encoder, COLUMNS).eval()
        alone.target_head.load_state_dict(model.target_head.state_dict())
        assert torch.equal(alone(images).values, outputs.targets.values)
        assert torch.equal(alone.forward_all(images).targets.category, outputs.targets.category)
    assert alone.forward_all(images).logits is None
    assert small_unet().forward_all(images).targets is None


def test_targets_change_nothing_of_how_the_rest_starts():
    without, besides = small_unet(), with_targets()
    state = besides.state_dict()
    for key, value in without.state_dict().items():
        assert torch.equal(value, state[key]), key
    assert {key for key in state if key not in without.state_dict()} == {
        f"target_head.{layer}.{part}"
        for layer in ("category", "values")
        for part in ("weight", "bias")
    }


def test_a_target_model_has_no_decoder_and_learns():
    torch.manual_seed(0)
    model = build_target_model({"name": "test_resnet", "weights": "none"}, SCENES, 0.0)
    assert not [name for name, _ in model.named_parameters() if "decoder" in name]
    images = pictures(8, 3, 32, 32) // 2
    truth = torch.arange(8) % 2
    images[truth == 1] += 100
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(15):
        loss = nn.functional.cross_entropy(model(images).category, truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (model(images).category.argmax(dim=1) == truth).all()


def test_what_is_refused():
    with pytest.raises(ModelError, match="dropout of the targets is 1"):
        TargetHead(8, COLUMNS, 1)
    encoder = {"name": "test_resnet", "weights": "none"}
    with pytest.raises(ModelError, match=r"encoder.wights does not exist.*'weights'"):
        build_target_model(encoder | {"wights": 1}, COLUMNS)
    with pytest.raises(ModelError, match="N,3,H,W, not 1,4,32,32"):
        build_target_model(encoder, COLUMNS)(torch.zeros(1, 4, 32, 32))
    model = build_model(encoder, {"channels": list(WIDTHS)}, 3, COLUMNS, 0.5)
    assert model.target_head.dropout.p == 0.5
