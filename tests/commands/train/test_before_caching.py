"""Options that Lightning, PyTorch, NumPy or W&B would refuse are found before data are cached."""

import os
from pathlib import Path

import pytest
from commands import run
from fakes import fake_camvid

QUICK = [
    "data=camvid", "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none",
    "decoder.channels=[16,16,8,8,8]", "data.workers=0", "logger=none", "data.batch_size=2",
    "data.cache=disk", "trainer=cpu",
]  # fmt: skip
STOPPING = "callbacks=early_stopping"
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return fake_camvid(tmp_path_factory.mktemp("camvid"), {"train": 6, "val": 3, "test": 2})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            [STOPPING, "callbacks.early_stopping.monitor=val/mio"],
            "EarlyStopping: no training logs monitor='val/mio'. Did you mean 'val/miou'",
        ),
        pytest.param(
            [STOPPING, "callbacks.early_stopping.monitor=val/ccc"],
            "no training logs monitor=",
            marks=SLOW,
        ),
        ([STOPPING, "callbacks.early_stopping.patience=soon"], "patience='soon': expected int."),
        ([STOPPING, "callbacks.early_stopping.mode=up"], "callbacks.early_stopping: "),
        pytest.param(
            ["callbacks=ema", "callbacks.early_stopping.mode=max"],
            "an option of callbacks=early_s",
            marks=SLOW,
        ),
        (["+callbacks.mine.patience=3"], "callbacks.mine has no class: also type"),
        pytest.param(
            ["trainer.max_epochs=many"], "trainer.max_epochs='many': expected ", marks=SLOW
        ),
        (["trainer.limit_train_batches=a"], "trainer.limit_train_batches='a': expected "),
        pytest.param(["trainer.limit_train_batches=1.5"], "trainer: ", marks=SLOW),
        pytest.param(
            ["trainer.val_check_interval=900"],
            "trainer.val_check_interval=900 is more than the",
            marks=SLOW,
        ),
        (["trainer.max_steps=1"], "before val is scored, after 3 steps. Raise it, or also pass "),
        (["trainer.check_val_every_n_epoch=20"], "trainer.max_epochs=7 ends the training before"),
        (["trainer.gradient_clip_algorithm=x"], "trainer: "),
        pytest.param(["trainer.max_time=soon"], "trainer: ", marks=SLOW),
        pytest.param(["trainer.profiler=x"], "trainer: ", marks=SLOW),
        pytest.param(["trainer.strategy=x"], "trainer.strategy='x': unknown", marks=SLOW),
        pytest.param(["trainer.barebones=true"], "trainer.barebones can't be set: ", marks=SLOW),
        (["seed=4294967296"], "seed=4294967296: expected at most 4294967295"),
        (["optimizer.betas=[2,3]"], "optimizer: Invalid beta parameter"),
        (["optimizer.weight_decay=much"], "optimizer.weight_decay is 'much'"),
        pytest.param(
            ["schedule.warmup=2"], "schedule.warmup is 2: it must be a number", marks=SLOW
        ),
        (["schedule.div_factor=a"], "schedule"),
        (["loss=focal", "loss.terms.focal.gamma=a"], "gamma"),
        pytest.param(["loss=tversky", "loss.terms.tversky.weight=a"], "tversky", marks=SLOW),
        pytest.param(
            ["augment.transforms=[{HorizontalFlip: {p: 3}}]"], "HorizontalFlip", marks=SLOW
        ),
        (["data.cache=ram"], "invalid data.cache='ram'"),
        pytest.param(["data.workers=-1"], "data.workers=-1", marks=SLOW),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_nothing_is_cached_for_options_that_are_refused(words, message, root, tmp_path):
    result = run(
        "train.py", *QUICK, f"data.root={root}", f"hydra.run.dir={tmp_path}/run", *words,
        HYDRA_FULL_ERROR="0",
    )  # fmt: skip
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    cached = [path for path in Path(os.environ["XDG_CACHE_HOME"]).rglob("*") if path.is_file()]
    assert not [path for path in cached if path.stat().st_size > 50_000], cached
    assert not (tmp_path / "run" / "config.yaml").exists()
