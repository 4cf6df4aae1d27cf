"""The training step is compiled where that is asked for, or pays."""

import csv
import logging

import pytest
from commands import succeed

from segmentation.errors import ConfigError
from segmentation.models import load_model
from segmentation.training import compiling
from segmentation.training.compiling import LONG, compiles


@pytest.mark.parametrize(
    ("wanted", "device", "steps", "expected"),
    [
        ("auto", "cuda", LONG, True),
        ("auto", "cuda", LONG - 1, False),
        ("auto", "cpu", 10 * LONG, False),
        (True, "cpu", 1, True),
        (False, "cuda", float("inf"), False),
    ],
)
def test_auto_compiles_long_trainings_on_a_gpu(monkeypatch, wanted, device, steps, expected):
    monkeypatch.setattr(compiling, "compiler_problem", lambda device: None)
    assert compiles(wanted, device, steps) is expected


def test_without_a_compiler_auto_warns_and_true_is_refused(monkeypatch, caplog):
    monkeypatch.setattr(compiling, "compiler_problem", lambda device: "no g++")
    with caplog.at_level(logging.WARNING):
        assert not compiles("auto", "cuda", LONG)
    assert "no g++" in caplog.text
    with pytest.raises(ConfigError, match=r"trainer\.compile=true: .* no g\+\+"):
        compiles(True, "cpu", 1)


@pytest.mark.slow
def test_a_compiled_training_takes_the_same_steps_and_saves_the_same_tensors(tmp_path):
    losses, keys = [], []
    for word in ("true", "false"):
        run = tmp_path / word
        words = ["encoder.name=test_resnet", "encoder.weights=none", "data.draw.counts.train=4"]
        words += ["data.draw.counts.val=2", "data.draw.counts.test=2", "data.batch_size=2"]
        words += ["trainer.max_epochs=1", "trainer.precision=32-true", "logger=none"]
        words += ["trainer.log_every_n_steps=1", f"trainer.compile={word}"]
        succeed("train.py", *words, f"hydra.run.dir={run}", f"data.root={tmp_path / 'streets'}")
        rows = list(csv.DictReader((run / "metrics.csv").open()))
        losses.append([float(row["train/loss_step"]) for row in rows if row["train/loss_step"]])
        keys.append(load_model(run).model.state_dict().keys())
    assert len(losses[0]) == 2
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert keys[0] == keys[1]
