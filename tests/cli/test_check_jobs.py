"""A sweep checks the configuration of every job, files included, before the first one starts."""

import os

import pytest
from commands import run
from fakes import fake_camvid
from hydra._internal.utils import get_args_parser
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict, read_write

from segmentation.cli.check_jobs import Composer
from segmentation.cli.class_options import hydra_of

SLOW = pytest.mark.slow
QUICK = [
    "data=camvid", "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none",
    "decoder.channels=[16,16,8,8,8]", "data.workers=0", "logger=none", "data.batch_size=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return fake_camvid(tmp_path_factory.mktemp("camvid"), {"train": 6, "val": 3, "test": 2})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["seed=1,2", "optimizer.lr=1e-3,-1"], "the job seed=1 optimizer.lr=-1: optimizer.lr is"),
        pytest.param(
            ["seed=0,4294967296"],
            "the job seed=4294967296: seed=4294967296: expected at most",
            marks=SLOW,
        ),
        pytest.param(
            ["trainer.max_steps=9,1"],
            "trainer.max_steps=1 ends the training before val is scored",
            marks=SLOW,
        ),
        (
            ["seed=3,4", "encoder.weights=w/${seed}-${hydra:job.num}.pth"],
            "the job seed=3: encoder.weights=w/3-0.pth is not a file",
        ),
        (["encoder.weights=none,nowhere.pth"], "encoder.weights=nowhere.pth is not a file"),
        pytest.param(
            ["data.fold=0,1", "data.folds=40"], "because of the job data.fold=0: ", marks=SLOW
        ),
        (["callbacks=none,early_stopping", "callbacks.early_stopping.patience=3"], "has no class"),
        pytest.param(
            ["optimizer.lrr=1,2"],
            "there is no option 'optimizer.lrr'. Did you mean 'optimizer.lr'",
            marks=SLOW,
        ),
        (["optimizer.lr=1e-3,1e-2", "data.size=64"], "data.size=64: expected [height, width]"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_job_that_can_not_be_trained_stops_the_sweep_before_it_begins(
    words, message, root, tmp_path
):
    environment = dict(os.environ)
    result = run(
        "train.py", "-m", *QUICK, f"data.root={root}", f"hydra.sweep.dir={tmp_path}/sweep", *words,
        HYDRA_FULL_ERROR="0",
    )  # fmt: skip
    assert result.returncode == 1
    assert "error: the sweep has not started, because of" in result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert not (tmp_path / "sweep").exists()
    assert dict(os.environ) == environment


def test_a_job_is_composed_as_hydra_composes_it():
    words = ["data=camvid", "data.root=/d", "encoder.weights=${seed}.pth"]
    jobs = [
        ["encoder=resnet18", "seed=1", "+trainer.max_steps=5", *words],
        ["encoder=resnet18", "seed=2", "~model", "callbacks=[ema,early_stopping]", *words],
        ["encoder=resnet18", "seed=3", "+trainer.max_steps=7", *words],
        ["callbacks.ema.decay=0.5", "loss=dice", "callbacks=ema", "experiment=debug", *words],
    ]
    with hydra_of(get_args_parser().parse_args([]), "train") as hydra:
        sweep = hydra.compose_config("train", [*words, "hydra.sweep.dir=s"], RunMode.MULTIRUN)
        composer = Composer(sweep)
        for number, job in enumerate(jobs):
            expected = hydra.config_loader.load_sweep_config(sweep, job)
            with read_write(expected), open_dict(expected):
                expected.hydra.job.num, expected.hydra.job.id = number, str(number)
            composed = composer.compose(job, number)
            assert OmegaConf.to_container(composed) == OmegaConf.to_container(expected)
        assert len(composer._of_files) == 3  # the first and the third have the same files
