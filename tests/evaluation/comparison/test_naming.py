"""Which runs are one contender, and what it is called."""

import pytest
from made_runs import settings

from segmentation.evaluation.comparison.naming import counted, differing, group_runs, names, repeats

LOSSES = "segmentation.training.losses"


def named(*configs, typed=None):
    flat = [counted(one) for one in configs]
    return names(flat, typed or [[]] * len(flat))


def test_only_the_encoder_differs():
    runs = [settings(encoder__name=name) for name in ("resnet34", "vgg16")]
    assert named(*runs) == ["resnet34", "vgg16"]


def test_encoder_and_loss_differ():
    lovasz = {"lovasz": {"_target_": f"{LOSSES}.Lovasz", "weight": 1.0}}
    runs = [settings(), settings(encoder__name="vgg16", loss__terms=lovasz)]
    assert named(*runs) == ["resnet34, cross_entropy", "vgg16, lovasz"]


def test_losses_of_several_terms_and_of_another_class_than_their_key():
    terms = settings()["loss"]["terms"]
    dice = terms | {"dice": {"_target_": f"{LOSSES}.Dice", "weight": 0.5}}
    ohem = {"cross_entropy": {"_target_": f"{LOSSES}.OHEMCrossEntropy", "keep": 0.1, "weight": 1}}
    runs = [settings(loss__terms=one) for one in (terms, dice, ohem)]
    assert named(*runs) == ["cross_entropy", "cross_entropy + dice", "OHEMCrossEntropy"]


def test_what_differs_within_one_kind_is_said_by_key():
    runs = [
        settings(optimizer__lr=0.001),
        settings(optimizer__lr=0.01),
        settings(optimizer={"_target_": "torch.optim.SGD", "lr": 0.1}),
    ]
    assert named(*runs) == ["AdamW, lr=0.001", "AdamW, lr=0.01", "SGD"]


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("decoder__attention", ("none", "scse"), ["attention=none", "attention=scse"]),
        ("trainer__max_epochs", (7, 50), ["max_epochs=7", "max_epochs=50"]),
        ("data__size", ([32, 32], [64, 64]), ["size=[32,32]", "size=[64,64]"]),
        ("inference__flip", (None, True), ["plain", "flip=true"]),
        ("checkpoint", (None, "last"), ["best", "last"]),
        ("scored__size", (None, [8, 8]), ["scored as trained", "size=[8,8]"]),
        ("trained_on", ("3f2abc", "11deff"), ["train data 3f2a", "train data 11de"]),
        (
            "callbacks",
            ({}, {"ema": {"_target_": "pytorch_lightning.callbacks.EMAWeightAveraging"}}),
            ["no callbacks", "ema"],
        ),
    ],
)
def test_single_settings(key, values, expected):
    assert named(*(settings(**{key: value}) for value in values)) == expected


def test_keys_that_end_alike_are_said_with_what_is_before_them():
    runs = [settings(encoder__size=1, data__size=[8, 8]), settings(encoder__size=2)]
    assert named(*runs) == ["data.size=[8,8], encoder.size=1", "data.size=[32,32], encoder.size=2"]


def test_what_is_too_long_is_called_as_it_was_typed():
    long = [{"HorizontalFlip": {"p": 0.5}}, {"ColorJitter": {"p": 0.8}}]
    runs = [settings(augment__transforms=long), settings(augment__transforms=long * 2)]
    typed = [[], ["encoder=resnet34", "augment=strong"]]
    assert named(*runs, typed=typed) == ["augment=default", "augment=strong"]


def test_a_single_contender_is_called_by_its_encoder():
    assert named(settings()) == ["resnet34"]


def test_seeds_are_together():
    runs = [
        settings(seed=0), settings(encoder__name="vgg16"), settings(seed=1),
        settings(encoder__name="vgg16", seed=5),
    ]  # fmt: skip
    assert group_runs([counted(run) for run in runs]) == [[0, 2], [1, 3]]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data__root", "/elsewhere"), ("data__workers", 4), ("logger", {"wandb": {"x": 1}}),
        ("trainer__accelerator", "cpu"), ("trainer__devices", 2), ("checkpoint_minutes", 1),
    ],
)  # fmt: skip
def test_how_a_run_is_carried_out_tells_nothing(key, value):
    runs = [counted(settings()), counted(settings(seed=1, **{key: value}))]
    assert group_runs(runs) == [[0, 1]]
    assert differing(runs) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("trainer__max_epochs", 8), ("data__folds", 5), ("data__size", None), ("decoder__norm", "x")],
)
def test_what_a_result_depends_on_divides(key, value):
    runs = [counted(settings()), counted(settings(seed=1, **{key: value}))]
    assert group_runs(runs) == [[0], [1]]


def test_an_option_that_is_null_is_one_that_older_runs_do_not_have():
    assert counted(settings(data__new=None)) == counted(settings())


def test_folds_are_repeats_as_seeds_are():
    runs = [counted(settings(data__folds=3, data__fold=fold, seed=4)) for fold in range(3)]
    assert group_runs(runs) == [[0, 1, 2]]
    assert repeats(runs[2]) == {"seed": 4, "data.fold": 2}
