import errno
import pickle
import subprocess

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from segmentation.errors import TrainingError
from segmentation.training.callbacks import FiniteLoss, Throughput
from segmentation.training.checkpoints import AtomicCheckpointIO, checkpoint_callbacks


class Toy(pl.LightningModule):
    """Learns one number; its loss becomes NaN at step `nan_at`; val mIoU falls after epoch 1."""

    def __init__(self, nan_at=None):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.nan_at = nan_at

    def training_step(self, batch, batch_idx):
        loss = (self.weight * batch["x"]).sum()
        return loss * float("nan") if self.global_step == self.nan_at else loss

    def validation_step(self, batch, batch_idx):
        self.log("val/miou", 1.0 - 0.1 * self.current_epoch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loader():
    def collate(items):
        return {"x": torch.stack(items), "name": ["a"] * len(items)}

    return DataLoader(torch.ones(8, 1), batch_size=2, collate_fn=collate)


def fit(tmp_path, module, epochs=3, **options):
    trainer = pl.Trainer(
        default_root_dir=tmp_path,
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        plugins=[AtomicCheckpointIO()],
        callbacks=[FiniteLoss(), Throughput(), *checkpoint_callbacks(tmp_path)],
        **options,
    )
    trainer.fit(module, loader(), loader())
    return trainer


def saved(path):
    return torch.load(path, weights_only=True)


def test_last_is_truly_the_last_and_best_is_the_best(tmp_path):
    trainer = fit(tmp_path, Toy())
    assert saved(tmp_path / "last.ckpt")["global_step"] == trainer.global_step == 12
    assert saved(tmp_path / "best.ckpt")["epoch"] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best.ckpt", "last.ckpt", "previous.ckpt",
    ]  # fmt: skip


def test_last_is_the_last_when_time_or_steps_end_the_run_within_an_epoch(tmp_path):
    trainer = fit(tmp_path, Toy(), epochs=3, max_steps=6)
    assert trainer.global_step == 6
    assert saved(tmp_path / "last.ckpt")["global_step"] == 6


@pytest.mark.parametrize(
    "interval", [1, 50], ids=["looked at each step", "looked at before saving"]
)
def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(tmp_path, interval):
    with pytest.raises(TrainingError, match=r"not finite.*optimizer\.lr"):
        fit(tmp_path, Toy(nan_at=5), log_every_n_steps=interval)
    last = saved(tmp_path / "last.ckpt")
    assert last["global_step"] == 4
    assert torch.isfinite(last["state_dict"]["weight"]).all()


def test_throughput_counts_images(tmp_path):
    trainer = fit(tmp_path, Toy(), log_every_n_steps=2)
    assert trainer.callback_metrics["train/images_per_s"] > 0


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    writer = AtomicCheckpointIO()
    path = tmp_path / "last.ckpt"
    writer.save_checkpoint({"step": 1}, path)

    def denied(checkpoint, file):
        file.write(b"half of it")
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(torch, "save", denied)
    with pytest.raises(TrainingError, match=r"last\.ckpt could not be written: Permission denied"):
        writer.save_checkpoint({"step": 2}, path)
    assert saved(path) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_what_does_not_load_safely_is_a_defect_and_not_kept(tmp_path):
    with pytest.raises(pickle.UnpicklingError, match="PosixPath"):
        AtomicCheckpointIO().save_checkpoint({"path": tmp_path}, tmp_path / "best.ckpt")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said(tmp_path, full_disk):
    with pytest.raises(TrainingError, match="the disk is full"):
        AtomicCheckpointIO().save_checkpoint({"w": torch.zeros(10**6)}, full_disk / "last.ckpt")


@pytest.fixture
def full_disk(tmp_path):
    """A file system of 64 KiB, where this machine lets us mount one."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small file system needs root")
    yield small
    subprocess.run(["umount", str(small)], check=True)
