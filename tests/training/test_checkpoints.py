import errno
import logging
import shutil
import subprocess
import zipfile
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from cut_off import ALWAYS, PowerCutError, data_of, fit

from segmentation.errors import ConfigError, TrainingError
from segmentation.training import checkpoints
from segmentation.training.checkpoints import (
    AtomicCheckpointIO,
    LastCheckpoint,
    checkpoint_callbacks,
    damage,
    newest_checkpoint,
)


def saved(path):
    return torch.load(path, weights_only=True)


def write(directory, *steps, writer=None):
    writer = writer or AtomicCheckpointIO()
    for step in steps:
        writer.save_checkpoint(
            {"step": step, "w": torch.full((50,), step)}, directory / "last.ckpt"
        )


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


def of_a_tensor(path):
    """Return where the bytes of a tensor are."""
    return path.read_bytes().index(torch.full((50,), saved(path)["step"]).numpy().tobytes())


def test_the_one_before_stays(tmp_path):
    write(tmp_path, 1, 2, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.ckpt", "previous.ckpt"]
    assert saved(tmp_path / "last.ckpt")["step"] == 3
    assert saved(tmp_path / "previous.ckpt")["step"] == 2
    assert newest_checkpoint(tmp_path) == tmp_path / "last.ckpt"


def test_the_best_is_kept_once(tmp_path):
    for step in (1, 2):
        AtomicCheckpointIO().save_checkpoint({"step": step}, tmp_path / "best.ckpt")
    assert [path.name for path in tmp_path.iterdir()] == ["best.ckpt"]


def test_without_a_checkpoint_there_is_none(tmp_path):
    assert newest_checkpoint(tmp_path / "checkpoints") is None


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def with_a_flipped_bit(path):
    flip(path, of_a_tensor(path) + 7)


@pytest.mark.parametrize(
    "harm", [cut_in_half, with_a_flipped_bit, lambda path: path.write_bytes(b"")]
)
def test_a_damaged_one_is_said_and_the_one_before_is_used(harm, tmp_path, caplog):
    write(tmp_path, 1, 2)
    harm(tmp_path / "last.ckpt")
    with caplog.at_level(logging.WARNING):
        assert newest_checkpoint(tmp_path) == tmp_path / "previous.ckpt"
    assert "last.ckpt is damaged" in caplog.text
    assert "using previous.ckpt" in caplog.text
    harm(tmp_path / "previous.ckpt")
    assert newest_checkpoint(tmp_path) is None
    assert "previous.ckpt is damaged" in caplog.text
    assert "starting afresh" in caplog.text


def test_torch_alone_would_not_notice(tmp_path):
    """Why the checksums are read."""
    write(tmp_path, 1)
    with_a_flipped_bit(tmp_path / "last.ckpt")
    assert not torch.equal(saved(tmp_path / "last.ckpt")["w"], torch.full((50,), 1))
    assert "have changed" in damage(tmp_path / "last.ckpt")


def test_each_byte_that_is_wrong_is_noticed_or_does_not_matter(tmp_path):
    write(tmp_path, 1)
    path = tmp_path / "last.ckpt"
    content = path.read_bytes()
    noticed = 0
    for place in range(0, len(content), 2):
        flip(path, place)
        if damage(path) is not None:
            noticed += 1
        else:
            loaded = saved(path)
            assert loaded["step"] == 1
            assert torch.equal(loaded["w"], torch.full((50,), 1))
        path.write_bytes(content)
    assert noticed > 100


def test_a_damaged_one_never_takes_the_place_of_a_whole_one(tmp_path):
    write(tmp_path, 1, 2)
    with_a_flipped_bit(tmp_path / "last.ckpt")
    write(tmp_path, 3, writer=AtomicCheckpointIO())  # another process
    assert saved(tmp_path / "previous.ckpt")["step"] == 1
    assert saved(tmp_path / "last.ckpt")["step"] == 3


def test_what_is_written_wrong_is_not_kept(tmp_path, monkeypatch):
    """A disk that takes the bytes and gives others back."""
    write(tmp_path, 1)
    sync = checkpoints.os.fsync

    def faulty(number):
        sync(number)
        with_a_flipped_bit(next(tmp_path.glob("last.ckpt.*.partial")))

    monkeypatch.setattr(checkpoints.os, "fsync", faulty)
    with pytest.raises(TrainingError, match=r"last\.ckpt could not be written: "):
        write(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
    assert saved(tmp_path / "last.ckpt")["step"] == 1


def test_a_kill_between_the_two_moves_leaves_one(tmp_path, monkeypatch):
    write(tmp_path, 1, 2)
    (tmp_path / "last.ckpt").replace(tmp_path / "previous.ckpt")
    assert newest_checkpoint(tmp_path) == tmp_path / "previous.ckpt"


def test_the_format_is_what_the_check_relies_on(tmp_path):
    write(tmp_path, 1)
    with zipfile.ZipFile(tmp_path / "last.ckpt") as archive:
        assert all(one.CRC for one in archive.infolist() if one.file_size)


@pytest.mark.parametrize("minutes", [0, -1, "ten", None, True])
def test_minutes_are_checked(minutes, tmp_path):
    with pytest.raises(ConfigError, match=r"checkpoint_minutes is .*above 0"):
        checkpoint_callbacks(tmp_path, minutes=minutes)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return data_of(tmp_path_factory.mktemp("camvid"))


@pytest.mark.parametrize(("minutes", "step"), [(ALWAYS, 7), (1000, 5)])
def test_within_an_epoch_it_is_written_by_the_clock(minutes, step, root, tmp_path):
    class Stop(pl.Callback):
        def on_train_batch_end(self, trainer, *_):
            if trainer.global_step == 8:
                raise PowerCutError

    with pytest.raises(PowerCutError):
        fit(root, tmp_path, minutes=minutes, callbacks=lambda: [Stop()])
    assert saved(tmp_path / "last.ckpt")["global_step"] == step


def test_after_a_save_its_clock_starts_again(tmp_path, monkeypatch):
    """Steps of four minutes, saved every ten minutes: every third."""
    now, steps = [0.0], []
    trainer = SimpleNamespace(
        world_size=1,
        accumulate_grad_batches=1,
        val_check_batch=None,
        check_val_every_n_epoch=1,
        fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace(restarting=False)),
        is_global_zero=True,
    )
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(checkpoints, "save_last", lambda *_: steps.append(step))
    callback = LastCheckpoint(tmp_path, minutes=10)
    callback.on_train_start(trainer, None)
    for step in range(1, 10):
        now[0] += 4 * 60
        callback.on_train_batch_start(trainer, None, None, step)
    assert steps == [3, 6, 9]
    callback.on_train_epoch_end(trainer, None)  # restarts it as well
    step = 10
    now[0] += 4 * 60
    callback.on_train_batch_start(trainer, None, None, step)
    assert steps == [3, 6, 9, 9]


def test_what_a_kill_has_left_half_written_is_removed(root, tmp_path):
    (tmp_path / "best.ckpt.1234567.partial").write_bytes(b"half")
    (tmp_path / "last.ckpt.partial").write_bytes(b"half, of an earlier version")
    fit(root, tmp_path, minutes=1000, trainer={"max_epochs": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.ckpt", "last.ckpt"]


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_stops_the_run_and_keeps_the_last_good_checkpoint(root, tmp_path, monkeypatch):
    calls = []
    save = torch.save

    def torch_save(checkpoint, file):
        calls.append(checkpoint["global_step"])
        if checkpoint["global_step"] == 4:
            file.write(b"some of it")
            full()
        save(checkpoint, file)

    monkeypatch.setattr(torch, "save", torch_save)
    with pytest.raises(TrainingError, match=r"last\.ckpt could not be written: the disk is full"):
        fit(root, tmp_path)
    assert saved(newest_checkpoint(tmp_path))["global_step"] == 3
    assert not list(tmp_path.glob("*.partial"))
    monkeypatch.undo()
    trainer = fit(root, tmp_path, trainer={"max_epochs": 1})  # there is space again
    assert trainer.global_step == 5


def test_a_disk_that_is_really_full(root, small_disk):
    with pytest.raises(TrainingError, match="the disk is full"):
        fit(root, small_disk, trainer={"max_epochs": 1})
    assert damage(newest_checkpoint(small_disk)) is None
    assert not list(small_disk.glob("*.partial"))


@pytest.fixture
def small_disk(tmp_path, root):
    """A file system for two and a half checkpoints, where this machine lets us mount one."""
    fit(root, tmp_path / "size", minutes=1000, trainer={"max_epochs": 1})
    size = (tmp_path / "size" / "last.ckpt").stat().st_size
    shutil.rmtree(tmp_path / "size")
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size * 5 // 2}", "tmpfs", str(small)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small file system needs root")
    yield small
    subprocess.run(["umount", str(small)], check=True)
