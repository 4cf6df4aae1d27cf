import os
import signal
import stat
import time
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from cut_off import data_of, differences, fit, state
from torch.utils.data import DataLoader

from segmentation.data.datamodule import _prepare_worker
from segmentation.errors import ConfigError, Interrupted
from segmentation.training import save_on_signal
from segmentation.training.checkpoints import newest_checkpoint
from segmentation.training.resuming import agreed
from segmentation.training.save_on_signal import SaveOnSignal, requeue

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


class Send(pl.Callback):
    """Send a signal to this process in some hook of an epoch."""

    def __init__(self, number, hook, epoch=1, batch=None):
        self.number = number
        self.epoch, self.batch = epoch, batch
        setattr(self, hook, self._send)

    def _send(self, trainer, *rest):
        batch = rest[-1] if len(rest) > 1 else None
        if trainer.current_epoch == self.epoch and self.batch in (None, batch):
            os.kill(os.getpid(), self.number)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return data_of(tmp_path_factory.mktemp("camvid"))


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole")
    fit(root, directory, minutes=1e6)
    return state(directory)


def interrupted(root, run, send, save=("SIGTERM", "SIGINT"), again=("SIGUSR1", "SIGUSR2"), **more):
    with pytest.raises(Interrupted) as raised:
        fit(
            root, run / "checkpoints", minutes=1e6,
            callbacks=lambda: [send, SaveOnSignal(run, save, again)], **more,
        )  # fmt: skip
    return raised.value


def kept(run):
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.mark.parametrize(
    ("hook", "batch", "step"),
    [
        ("on_before_backward", None, 6),
        ("on_validation_batch_end", None, 10),
        pytest.param("on_train_batch_start", 0, 6, marks=pytest.mark.slow),
        pytest.param("on_train_batch_end", 2, 8, marks=pytest.mark.slow),
        pytest.param("on_train_batch_end", 4, 10, marks=pytest.mark.slow),
    ],
)
def test_the_running_step_ends_the_state_is_saved_and_the_rest_is_the_same(
    hook, batch, step, root, whole, tmp_path
):
    error = interrupted(root, tmp_path, Send(signal.SIGTERM, hook, batch=batch))
    assert error.exit_code == 143
    assert f"SIGTERM stopped the run at step {step}" in str(error)
    assert f"python train.py resume={tmp_path}" in str(error)
    assert kept(tmp_path)["global_step"] == step
    fit(root, tmp_path / "checkpoints", minutes=1e6)
    for name in ("best.ckpt", "last.ckpt"):
        for key in ("state_dict", "optimizer_states", "lr_schedulers"):
            assert differences(state(tmp_path / "checkpoints")[name][key], whole[name][key]) == []


def test_in_the_last_epochs_validation_its_end_is_saved(root, whole, tmp_path):
    interrupted(root, tmp_path, Send(signal.SIGINT, "on_validation_end", epoch=2))
    assert differences(kept(tmp_path)["state_dict"], whole["last.ckpt"]["state_dict"]) == []
    trainer = fit(root, tmp_path / "checkpoints", minutes=1e6)
    assert trainer.global_step == 15


def test_gradients_are_accumulated_to_the_end_first(root, tmp_path):
    options = {"trainer": {"accumulate_grad_batches": 2}}
    interrupted(root, tmp_path, Send(signal.SIGTERM, "on_train_batch_start", batch=3), **options)
    assert (
        kept(tmp_path)["global_step"] == 5
    )  # three in the first epoch, batches 0 to 3 in the second


def test_handlers_are_put_back_and_lightnings_have_no_say(root, tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    seen = []

    class Look(pl.Callback):
        def on_train_batch_start(self, trainer, *_):
            seen.append(signal.getsignal(signal.SIGTERM))

    fit(
        root, tmp_path, trainer={"max_epochs": 1},
        callbacks=lambda: [Look(), SaveOnSignal(tmp_path, ["SIGTERM", "SIGINT"])],
    )  # fmt: skip
    assert {one.__func__ for one in seen} == {SaveOnSignal._handle}
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    interrupted(root, tmp_path, Send(signal.SIGTERM, "on_train_batch_start"))
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_second_signal_leaves_at_once_and_an_echo_does_not(tmp_path, monkeypatch, capfd):
    left = []
    monkeypatch.setattr(save_on_signal.os, "_exit", left.append)
    clock = [100.0]
    monkeypatch.setattr(save_on_signal.time, "monotonic", lambda: clock[0])
    callback = SaveOnSignal(tmp_path, ["SIGINT"], ["SIGUSR1"])
    callback._handle(signal.SIGINT, None)
    assert "send again to stop at once" in capfd.readouterr().err
    clock[0] += 0.2
    callback._handle(signal.SIGINT, None)
    assert left == []
    clock[0] += 2
    callback._handle(signal.SIGUSR1, None)
    assert left == [128 + signal.SIGUSR1]


@pytest.fixture
def scontrol(tmp_path, monkeypatch):
    """Give a fake scontrol that notes its arguments, and its note."""
    monkeypatch.delenv("SUBMITIT_EXECUTOR", raising=False)
    folder, note = tmp_path / "bin", tmp_path / "note"
    folder.mkdir()
    script = folder / "scontrol"
    script.write_text(f'#!/bin/sh\necho "$@" >> {note}\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return note


def test_requeue_signals_ask_slurm_after_saving(root, tmp_path, monkeypatch, scontrol):
    monkeypatch.setenv("SLURM_JOB_ID", "71")
    interrupted(root, tmp_path / "a", Send(signal.SIGTERM, "on_train_batch_end"))
    assert not scontrol.exists()
    error = interrupted(root, tmp_path / "b", Send(signal.SIGUSR1, "on_train_batch_end"))
    assert error.exit_code == 128 + signal.SIGUSR1
    assert scontrol.read_text() == "requeue 71\n"
    assert newest_checkpoint(tmp_path / "b" / "checkpoints") is not None


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, None),
        ({"SLURM_JOB_ID": "7"}, "requeue 7\n"),
        (
            {"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"},
            "requeue 7_2\n",
        ),
        ({"SLURM_JOB_ID": "7", "SUBMITIT_EXECUTOR": "slurm"}, None),
    ],
)
def test_which_job_slurm_is_asked_for(environment, asked, monkeypatch, scontrol):
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    requeue()
    assert (scontrol.read_text() if scontrol.exists() else None) == asked


@pytest.mark.parametrize("there", [True, False])
def test_what_slurm_refuses_is_said(there, monkeypatch, scontrol, caplog):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    if there:
        command = scontrol.parent / "bin" / "scontrol"
        command.write_text("#!/bin/sh\necho no such job >&2\nexit 1\n")
    else:
        monkeypatch.setenv("PATH", "")
    requeue()
    assert "did not requeue job 7" in caplog.text
    assert ("no such job" in caplog.text) == there


def test_names_are_checked(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"signals\.save: no signal is called 'SIGTREM'.*SIGTERM"):
        SaveOnSignal(tmp_path, ["SIGTREM"])
    with pytest.raises(ConfigError, match=r"signals\.requeue: no process can handle SIGKILL"):
        SaveOnSignal(tmp_path, [], ["SIGKILL"])
    with pytest.raises(ConfigError, match=r"pass a list, such as signals\.save=\[SIGINT\]"):
        SaveOnSignal(tmp_path, "SIGINT")


def test_signals_that_a_platform_lacks_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(save_on_signal.signal, "Signals", [signal.SIGINT, signal.SIGTERM])
    assert SaveOnSignal(tmp_path, ["SIGINT"], ["SIGUSR1"])._numbers == {signal.SIGINT}


class Slow(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        time.sleep(0.2)
        return index


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_loading_workers_stay_when_their_whole_group_gets_a_signal(number):
    loader = DataLoader(Slow(), num_workers=2, worker_init_fn=_prepare_worker)
    batches = iter(loader)
    seen = [int(next(batches))]
    for worker in batches._workers:
        os.kill(worker.pid, number)
    assert [*seen, *map(int, batches)] == [0, 1, 2, 3]


def test_without_our_handling_they_would_not():
    """Why the workers are told."""
    batches = iter(DataLoader(Slow(), num_workers=2))
    next(batches)
    for worker in batches._workers:
        os.kill(worker.pid, signal.SIGTERM)
    with pytest.raises(RuntimeError, match="DataLoader worker"):
        list(batches)


@pytest.mark.parametrize(("seen", "asked"), [(20, True), (21, False)])
def test_ranks_agree_at_the_logging_interval_only(seen, asked):
    class Strategy:
        root_device = torch.device("cpu")
        calls = 0

        def reduce(self, value, reduce_op):
            assert reduce_op == "max"
            self.calls += 1
            return torch.maximum(value, torch.tensor(15))  # what the other rank has

    loop = SimpleNamespace(epoch_loop=SimpleNamespace(total_batch_idx=seen))
    trainer = SimpleNamespace(
        world_size=2, log_every_n_steps=10, strategy=Strategy(), fit_loop=loop
    )
    assert agreed(trainer, 0) == (15 if asked else 0)
    assert trainer.strategy.calls == asked
    trainer.world_size = 1
    assert agreed(trainer, 2) == 2
