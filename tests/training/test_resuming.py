"""Runs that break off anywhere and go on end as one that did not, in each bit of the weights."""

import random
import shutil

import pytest
import torch
from cut_off import PowerCutError, data_of, differences, fit, state
from pytorch_lightning.callbacks import EarlyStopping, EMAWeightAveraging
from pytorch_lightning.loggers import CSVLogger

from segmentation.training import module
from segmentation.training.resuming import seed_step
from segmentation.training.weight_averaging import MeanOfLast


def ema():
    return [EMAWeightAveraging(decay=0.9)]


def mean_of_last():
    return [MeanOfLast(epochs=2)]


def early():
    return [EarlyStopping("val/miou", min_delta=1.0, mode="max", patience=1)]


CASES = {
    "plain": {},
    "two workers": {"workers": 2},
    "fused": {"fused": True},
    "ema": {"callbacks": ema},
    "ema, two workers": {"callbacks": ema, "workers": 2},
    "mean of the last": {"callbacks": mean_of_last},
    "accumulation": {"trainer": {"accumulate_grad_batches": 2}},
    "accumulation with ema": {"trainer": {"accumulate_grad_batches": 3}, "callbacks": ema},
    "frozen encoder": {"frozen": 2},
    "early stopping": {"callbacks": early, "trainer": {"max_epochs": 5}},
    "image-level targets": {"targets": True},
    "validation within the epoch": {"trainer": {"val_check_interval": 0.4}},
    "validation by batches": {
        "trainer": {"val_check_interval": 4, "check_val_every_n_epoch": None}
    },
    "validation every second epoch": {
        "trainer": {"check_val_every_n_epoch": 2, "max_epochs": 4}, "callbacks": ema
    },
    "max_steps": {"trainer": {"max_steps": 13, "max_epochs": -1}},
    "max_steps with accumulation": {
        "trainer": {"max_steps": 8, "max_epochs": -1, "accumulate_grad_batches": 2}
    },
    "part of the data": {"trainer": {"limit_train_batches": 3}},
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return data_of(tmp_path_factory.mktemp("camvid"))


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    """Give the state of a run that nothing broke off; it also saves at epochs' ends only."""
    known = {}

    def of(name):
        if name not in known:
            directory = tmp_path_factory.mktemp("whole")
            fit(root, directory, minutes=1e6, **CASES[name])
            known[name] = state(directory)
        return known[name]

    return of


def same(one, other):
    """Assert that two runs are the same where they have to be: all but clocks and counts of loops.

    A run that goes on within an epoch has no mean loss of it and no scores of validations before.
    """
    for name in ("best.ckpt", "last.ckpt"):
        a, b = one[name], other[name]
        assert a["epoch"] == b["epoch"]
        assert a["global_step"] == b["global_step"]
        keys = {"state_dict", "optimizer_states", "lr_schedulers", "stopped"}
        keys |= {"current_model_state", "averaging_state"} & a.keys()
        for key in sorted(keys):
            assert differences(a[key], b[key], key) == []
    assert one["best.ckpt"]["scores"] == other["best.ckpt"]["scores"]
    best = [
        next(value for key, value in each["last.ckpt"]["callbacks"].items() if "Best" in key)
        for each in (one, other)
    ]
    assert differences(*best) == []


def some_slow(values, quick):
    """Give every value to a test, all but some of them with the slow tests."""
    return [
        value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values
    ]


@pytest.mark.parametrize("name", some_slow(CASES, ("accumulation with ema",)))
def test_a_run_that_breaks_off_again_and_again_ends_the_same(name, root, whole, tmp_path):
    rng = random.Random(name)
    cuts = 0
    while True:
        try:
            fit(root, tmp_path, moments=rng.randint(8, 40), **CASES[name])
            break
        except PowerCutError:
            cuts += 1
            assert cuts < 50
    assert cuts >= 2
    same(state(tmp_path), whole(name))


@pytest.mark.parametrize("moments", some_slow(range(30, 62, 3), ()))
def test_once_anywhere_in_the_second_epoch(moments, root, whole, tmp_path):
    with pytest.raises(PowerCutError):
        fit(root, tmp_path, moments=moments, callbacks=ema)
    fit(root, tmp_path, minutes=1e6, callbacks=ema)
    same(state(tmp_path), whole("ema"))


@pytest.mark.parametrize("seed", some_slow((3, 4), (3,)))
def test_the_same_seed_gives_the_same_weights_whatever_the_workers(root, whole, tmp_path, seed):
    fit(root, tmp_path / "a", seed=seed, workers=2)
    if seed == 3:
        same(state(tmp_path / "a"), whole("plain"))
    else:
        fit(root, tmp_path / "b", seed=seed)
        same(state(tmp_path / "a"), state(tmp_path / "b"))
        assert differences(state(tmp_path / "a"), whole("plain"))


def test_what_is_random_in_a_step_follows_from_its_place():
    def drawn(*place):
        seed_step(*place)
        return torch.rand(4)

    assert torch.equal(drawn(0, 1, 2, 0), drawn(0, 1, 2, 0))
    places = [(0, 1, 2, 0), (1, 1, 2, 0), (0, 2, 1, 0), (0, 1, 3, 0), (0, 1, 2, 1)]
    assert len({tuple(drawn(*place).tolist()) for place in places}) == len(places)


def test_a_finished_run_does_not_train_again(root, whole, tmp_path):
    fit(root, tmp_path, **CASES["early stopping"])
    before = state(tmp_path)
    assert before["last.ckpt"]["stopped"]
    trainer = fit(root, tmp_path, **CASES["early stopping"])
    assert trainer.current_epoch == 2  # of 5
    assert differences(before, state(tmp_path)) == []


@pytest.mark.slow
def test_a_run_that_was_moved_keeps_its_best_score(root, whole, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    with pytest.raises(PowerCutError):
        fit(root, old, moments=50)
    shutil.move(old, new)
    trainer = fit(root, new)
    same(state(new), whole("plain"))
    assert trainer.checkpoint_callback.best_model_path == str(new / "best.ckpt")
    assert str(tmp_path) not in str(torch.load(new / "last.ckpt", weights_only=True)["callbacks"])


@pytest.mark.slow
def test_the_curves_have_each_step_once_and_under_its_number(root, tmp_path):
    """Lightning counts some steps twice when it goes on."""
    for name in ("validation within the epoch", "max_steps"):
        steps = []
        for directory, moments in ((tmp_path / name / "a", 1e9), (tmp_path / name / "b", 44)):
            logger = CSVLogger(directory, name="", version="")
            logger.log_metrics = lambda metrics, step: seen.append((step, metrics))  # noqa: B023
            seen = []
            try:
                fit(root, directory, moments=moments, logger=logger, **CASES[name])
            except PowerCutError:
                fit(root, directory, logger=logger, **CASES[name])
            kept = {step: one["train/loss_step"] for step, one in seen if "train/loss_step" in one}
            steps.append(kept)
        assert steps[0] == steps[1]


def test_a_mistake_in_the_places_would_be_seen(root, whole, tmp_path, monkeypatch):
    """Steps that are seeded after a cut by other places than without it end in other weights."""
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    with pytest.raises(PowerCutError):
        fit(root, right, moments=50)
    shutil.copytree(right, wrong)
    fit(root, right)
    same(state(right), whole("plain"))

    def misplaced(seed, epoch, batch, rank):
        seed_step(seed, epoch, batch + 1, rank)

    monkeypatch.setattr(module, "seed_step", misplaced)
    fit(root, wrong)
    with pytest.raises(AssertionError, match="optimizer_states"):
        same(state(wrong), whole("plain"))
