"""Several processes that train one model, as people start them: they agree, and they end together.

`pytest -s -k agree` on this file prints how far 1 and 2 processes are apart.
"""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import succeed
from conftest import ROOT
from fakes import CLASSES, fake_camvid
from PIL import Image

from segmentation.models import build_model, save_model

pytestmark = pytest.mark.slow

LIMIT = 600  # seconds that a start, and its training, may take on a busy machine
A_MINUTE = 60
TINY = [
    "encoder=timm", "encoder.name=mobilenetv3_small_050", "encoder.weights=none",
    "decoder.channels=[32,16,16,8,8]", "data=camvid", "data.batch_size=2", "data.workers=0",
    "trainer.log_every_n_steps=1", "trainer.precision=32-true", "logger=none",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = fake_camvid(tmp_path_factory.mktemp("camvid"), {"train": 8, "val": 5, "test": 7})
    for path in sorted(root.glob("trainannot/*"))[::2]:  # ranks get different numbers of labels
        mask = np.array(Image.open(path))
        mask[8:] = 11
        Image.fromarray(mask).save(path)
    return root


class Started:
    """A command in a session of its own, of which nothing may be left at the end."""

    def __init__(self, log, *arguments, **environment):
        self.log = log
        self.process = subprocess.Popen(
            list(map(str, arguments)),
            cwd=log.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tests" / "helpers"), **environment},
            stdout=log.open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def members(self):
        """Return the living processes of the session, by number, with what they were started as."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                state, _, _, session = (path / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(session) == self.process.pid and state != "Z":
                    found[int(path.name)] = (path / "environ").read_text()
            except (OSError, ValueError):  # it has ended meanwhile
                continue
        return found

    def rank(self, number):
        """Return the process of a rank above 0, a child of rank zero."""
        return next(
            pid
            for pid, environment in self.members().items()
            if f"\0LOCAL_RANK={number}\0" in f"\0{environment}\0"
            and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
            == str(self.process.pid)
        )

    def wait_until(self, condition, seconds, what):
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, f"{what}: {self.log.read_text()[-3000:]}"
            time.sleep(0.2)

    def wait_for(self, text):
        self.wait_until(
            lambda: text in self.log.read_text() or self.process.poll() is not None, LIMIT, text
        )
        assert text in self.log.read_text(), self.log.read_text()[-3000:]

    def end(self, seconds):
        """Wait until nothing is left; return the exit code and the log."""
        began = time.monotonic()
        self.wait_until(
            lambda: self.process.poll() is not None and not self.members(), seconds, "the end"
        )
        print(f"nothing is left after {time.monotonic() - began:.1f} s")
        return self.process.returncode, self.log.read_text()

    def clean(self):
        for pid in self.members():
            os.kill(pid, signal.SIGKILL)
        self.process.wait(10)


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(*arguments, **environment):
        log = tmp_path / f"log{len(started)}"
        started.append(Started(log, *arguments, **environment))
        return started[-1]

    yield begin
    for one in started:
        one.clean()


def train(data, directory, *more):
    return (
        sys.executable, ROOT / "train.py", *TINY, f"data.root={data}",
        *([f"hydra.run.dir={directory}"] if directory else []), *more,
    )  # fmt: skip


# ---- one model, however many processes


def losses(directory):
    with (directory / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return np.array([float(row["train/loss_step"]) for row in rows if row["train/loss_step"]])


def weights(directory):
    return torch.load(directory / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def matrices(directory):
    with np.load(directory / "per_image.npz", allow_pickle=False) as kept:
        return dict(zip(kept["name"].tolist(), kept["confusion"], strict=True))


def test_one_and_two_processes_agree(data, tmp_path):
    # Batch norm sees each process's share, so here is none: layer norm and group norm. Float64
    # shows that nothing but rounding is left: in float32, 20 steps of Adam enlarge it.
    for processes, trainer in ((1, "cpu"), (2, "ddp_cpu")):
        succeed(
            "train.py", *TINY, f"data.root={data}", "data.batch_size=4", f"trainer={trainer}",
            "encoder.name=convnext_atto", "decoder.norm=group",
            "loss=cross_entropy_dice", "trainer.precision=64-true", "trainer.max_epochs=10",
            f"hydra.run.dir={tmp_path}/{processes}", child=True,
        )  # fmt: skip
    one, two = tmp_path / "1", tmp_path / "2"
    steps = np.abs(losses(one) - losses(two))
    apart = {name: (value - weights(two)[name]).abs().max() for name, value in weights(one).items()}
    print(f"\nlosses of {len(steps)} steps: at most {steps.max():.1e} apart")
    print(f"weights: at most {max(apart.values()):.1e} apart")
    assert len(steps) == 20
    assert steps.max() < 1e-12
    assert max(apart.values()) < 1e-10
    assert np.ptp(losses(one)) > 0.01  # something was learnt
    for name, matrix in matrices(one).items():
        np.testing.assert_array_equal(matrices(two)[name], matrix)
    scores = [json.loads((path / "metrics.json").read_text()) for path in (one, two)]
    print(f"scores: {scores[0]['miou']} and {scores[1]['miou']}")
    assert scores[0]["miou"] == scores[1]["miou"]
    assert scores[0]["score"] == scores[1]["score"]


def test_each_image_is_counted_once_however_many_processes(data, tmp_path):
    torch.manual_seed(0)
    model = build_model(
        {"name": "resnet18", "weights": "none"}, {"channels": [32, 16, 16, 8, 8]}, len(CLASSES)
    )
    save_model(model, tmp_path / "model", CLASSES, None)
    views = ["flip=true", "window=[32,32]"]
    for split, images, options in (("val", 5, views), ("test", 7, [])):
        name = f"camvid_{split}_flip_window32x32" if options else f"camvid_{split}"
        directory = tmp_path / "model" / "evaluation" / name
        found, said = {}, {}
        for processes in (1, 2, 3):
            succeed(
                "evaluate.py", f"run={tmp_path}/model", "data=camvid", f"data.root={data}",
                f"split={split}", "trainer=ddp_cpu", f"trainer.devices={processes}",
                f"data.batch_size={processes}", *options, child=processes > 1,
            )  # fmt: skip
            with np.load(directory / "per_image.npz", allow_pickle=False) as kept:
                found[processes] = dict(kept)
            said[processes] = json.loads((directory / "metrics.json").read_text())
        assert len(found[1]["name"]) == images
        for processes in (2, 3):
            assert said[processes] == said[1]  # every score, to the last digit
            assert list(found[processes]) == list(found[1])
            for key, values in found[1].items():
                np.testing.assert_array_equal(found[processes][key], values, err_msg=key)


# ---- one end


@pytest.mark.parametrize("victim", [0, 1])
def test_killed_with_9_one_process_takes_the_others_along(victim, data, tmp_path, start):
    directory = tmp_path / "run"
    run = start(
        *train(data, directory, "trainer=ddp_cpu", "trainer.max_epochs=10000", "data.workers=1")
    )
    run.wait_for("epoch 1/")
    assert len(run.members()) >= 4  # two ranks and their workers
    os.kill(run.rank(1) if victim else run.process.pid, signal.SIGKILL)
    code, _ = run.end(A_MINUTE)
    assert code != 0


@pytest.mark.parametrize(("rank", "how"), [(1, "raise"), (1, "exit"), (0, "raise")])
def test_a_process_that_fails_takes_the_others_along(rank, how, data, tmp_path, start):
    directory = tmp_path / "run"
    run = start(
        *train(
            data, directory, "trainer=ddp_cpu", "trainer.max_epochs=10000",
            f"+callbacks.x={{_target_: failing_rank.FailingRank, rank: {rank}, how: {how}}}",
        )
    )  # fmt: skip
    text = "a defect of this rank" if how == "raise" else "exited while the others were training"
    run.wait_for(text)
    code, _ = run.end(A_MINUTE)
    assert code != 0


def test_an_error_of_all_lets_rank_zero_end_in_order(data, tmp_path, start):
    directory = tmp_path / "run"
    run = start(
        *train(
            data, directory, "trainer=ddp_cpu", "trainer.max_epochs=10000",
            "+callbacks.x={_target_: failing_rank.FailingRank, rank: null, how: stop}",
        )
    )  # fmt: skip
    run.wait_for("all ranks stop")
    code, log = run.end(A_MINUTE)
    assert "rank zero has closed everything" in log, log
    assert code == 1, log


# ---- started by others


def test_torchrun(data, tmp_path, start):
    torchrun = Path(sys.executable).with_name("torchrun")
    _, *script = train(data, None, "trainer=ddp_cpu", "trainer.max_epochs=1")
    run = start(torchrun, "--standalone", "--nproc-per-node", "2", *script)
    code, log = run.end(LIMIT)
    assert code == 0, log
    (directory,) = (tmp_path / "runs").iterdir()
    assert directory.name.startswith("torchrun-")
    assert {path.name for path in directory.glob("*.log")} == {"train.log"}
    metrics = json.loads((directory / "metrics.json").read_text())
    assert metrics["images"] == 7
    assert json.loads((directory / "environment.json").read_text())["processes"] == 2


def test_slurm(data, tmp_path, start):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    job = {
        "SLURM_JOB_ID": "4242", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "2", "SLURM_NNODES": "1",
        "SLURM_NTASKS_PER_NODE": "2", "SLURM_NODEID": "0", "SLURM_JOB_NAME": "night",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    command = train(data, None, "trainer=ddp_cpu", "trainer.max_epochs=1")
    ranks = []
    for rank in ("0", "1"):
        ranks.append(start(*command, **job, SLURM_PROCID=rank, SLURM_LOCALID=rank))
        time.sleep(1.1)  # another second, another time stamp
    for one in ranks:
        code, log = one.end(LIMIT)
        assert code == 0, log
    (directory,) = (tmp_path / "runs").iterdir()
    assert directory.name == "slurm-4242-0_camvid_mobilenetv3_small_050"
    assert json.loads((directory / "metrics.json").read_text())["images"] == 7
