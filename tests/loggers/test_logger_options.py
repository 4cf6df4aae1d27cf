"""The loggers that the options name, alone and together."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
from logging_runs import configured, fit, group

from segmentation.build.trainer import build_loggers
from segmentation.loggers.wandb_logger import WandbLogger

pytestmark = pytest.mark.usefixtures("stranger")


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        ([], ["WandbLogger"]),
        (["logger=none"], []),
        (["logger=tensorboard"], ["TensorboardLogger"]),
        pytest.param(["logger=mlflow"], ["MlflowLogger"], marks=pytest.mark.slow),  # its import
        (["logger=[wandb,tensorboard]"], ["WandbLogger", "TensorboardLogger"]),
        (["logger=wandb", "logger.wandb.tags=[a,b]"], ["WandbLogger"]),
    ],
)
def test_the_group_builds(tmp_path: Path, overrides: list[str], names: list[str]) -> None:
    assert [type(logger).__name__ for logger in configured(tmp_path, *overrides)] == names


def test_pictures_can_be_kept_from_wandb(tmp_path: Path) -> None:
    def sends(*overrides: str) -> bool:
        (logger,) = configured(tmp_path, *overrides)
        assert isinstance(logger, WandbLogger)
        return logger.pictures

    assert sends()
    assert not sends("logger.wandb.pictures=false")
    with pytest.raises(Exception, match=r"logger\.wandb\.pictures='no': expected true or false"):
        sends("logger.wandb.pictures='no'")


def test_several_loggers_at_once(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    chosen = configured(tmp_path, "logger=[wandb,tensorboard]")
    fit(*chosen)
    found = events.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [point.step for point in found.Scalars("train/loss")] == [0, 1, 2, 3]
    assert list((tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb"))


@pytest.mark.parametrize(
    "environment",
    [{"LOCAL_RANK": "1"}, {"NODE_RANK": "1"}, {"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}],
)
def test_only_rank_zero_logs(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pl.utilities.rank_zero_only, "rank", 0)  # as before the trainer is made
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    chosen = build_loggers(group(tmp_path, "logger=[wandb,tensorboard,mlflow]"), tmp_path / "run")
    assert len(chosen) == 4
    for logger in chosen:
        logger.log_hyperparams({"seed": 0})
        logger.log_metrics({"loss": 1.0}, step=0)
        logger.save()
        logger.finalize("success")
        if isinstance(logger, WandbLogger):
            logger.finish()
    assert not (tmp_path / "run").exists()
