"""Weighted sums, options out of range, and the losses of conf/loss."""

import math

import pytest
import torch
from conftest import ROOT
from hydra.utils import instantiate
from loss_examples import LOSSES, example
from omegaconf import OmegaConf

from segmentation.errors import ConfigError
from segmentation.training import losses

CONF = ROOT / "conf" / "loss"


def test_weighted_sum_gives_the_total_and_its_terms():
    logits, target = example()
    terms = {"cross_entropy": losses.CrossEntropy(), "dice": losses.Dice()}
    total, parts = losses.WeightedSum(terms, {"cross_entropy": 0.25, "dice": 2.0})(
        logits.requires_grad_(), target
    )
    expected = {name: term(logits, target) for name, term in terms.items()}
    assert parts == expected
    assert torch.allclose(total, 0.25 * expected["cross_entropy"] + 2 * expected["dice"])
    assert total.requires_grad
    assert not any(part.requires_grad for part in parts.values())


@pytest.mark.parametrize(
    ("terms", "weights", "message"),
    [
        ([], {}, "loss.terms is empty"),
        (
            ["dice"],
            {"dice": -1.0},
            r"loss.terms.dice.weight is -1.0: it must be a number, 0 or more",
        ),
        (["dice"], {"dice": math.inf}, r"loss.terms.dice.weight is inf"),
        (["dice"], {"dice": "much"}, r"loss.terms.dice.weight is 'much'"),
        (["dice"], {"dice": 0}, "all have weight 0"),
        (["dice"], {"focal": 1.0}, r"loss.terms are \['dice'\], but weights.*\['focal'\]"),
    ],
)
def test_weighted_sum_refuses(terms, weights, message):
    with pytest.raises(ConfigError, match=message):
        losses.WeightedSum({name: LOSSES[name]() for name in terms}, weights)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.CrossEntropy(1.0), r"label_smoothing of CrossEntropy is 1.0"),
        (lambda: losses.CrossEntropy(-0.1), r"label_smoothing of CrossEntropy is -0.1"),
        (lambda: losses.Focal(-1), r"gamma of Focal is -1: it must be a number, 0 or more"),
        (lambda: losses.Focal(None), r"gamma of Focal is None"),
        (lambda: losses.Focal(True), r"gamma of Focal is True"),
        (lambda: losses.Tversky(-0.1, 1), r"alpha of Tversky is -0.1"),
        (lambda: losses.Tversky(1, 0), r"beta of Tversky is 0: it must be a number, above 0"),
        (lambda: losses.OHEMCrossEntropy(threshold=0), r"threshold of OHEMCrossEntropy is 0"),
        (lambda: losses.OHEMCrossEntropy(keep=1.5), r"keep of OHEMCrossEntropy is 1.5"),
        (lambda: losses.OHEMCrossEntropy(keep=math.nan), r"keep of OHEMCrossEntropy is nan"),
    ],
)
def test_options_out_of_range_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_configured_losses_are_complete():
    expected = {"cross_entropy", "dice", "jaccard", "focal", "lovasz", "tversky", "ohem"}
    expected |= {"cross_entropy_dice", "cross_entropy_lovasz"}
    assert {path.stem for path in CONF.glob("*.yaml")} >= expected


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_configured_loss_can_be_built_and_learnt_from(path):
    config = OmegaConf.to_container(OmegaConf.load(path))
    assert set(config) == {"class_weights", "terms"}
    factors = {name: term.pop("weight") for name, term in config["terms"].items()}
    assert sum(factors.values()) == 1
    weights = torch.tensor([0.5, 1.0, 2.0, 4.0])
    terms = {
        name: instantiate(term, class_weights=weights) for name, term in config["terms"].items()
    }
    for term in terms.values():
        assert torch.equal(term.class_weights, weights)
    logits, target = example()
    start, _ = losses.WeightedSum(terms, factors)(logits.requires_grad_(), target)
    start.backward()
    after, _ = losses.WeightedSum(terms, factors)(logits - 0.5 * logits.grad, target)
    assert after < start
