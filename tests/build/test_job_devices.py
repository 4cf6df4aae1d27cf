"""What can be known of a job's devices is checked before its sweep starts."""

import pytest
import torch
from hydra import compose, initialize_config_dir

from segmentation.build.job_devices import check_job_devices, use_one_cpu
from segmentation.build.trainer import trainer_options
from segmentation.config import CONF
from segmentation.errors import ConfigError


def check(*words: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", list(words))
    check_job_devices(cfg)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.fixture
def no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("gpus")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trainer=ddp", "trainer.devices=2"], r"devices=2, but a job gets 1 GPU\. .*per_job=2\."),
        (
            ["trainer=ddp", "trainer.devices=[0,2]", "launcher.gpus_per_job=2"],
            r"trainer\.devices=\[0, 2\], but a job gets 2 GPUs\. Also type launcher.gpus_per_job=3",
        ),
        (
            ["trainer=gpu", "launcher.gpus_per_job=0"],
            r"a job gets no GPU with launcher\.gpus_per_job=0\. Omit that",
        ),
        (
            ["trainer=ddp", "launcher.gpus_per_job=3"],
            "is the global batch and does not divide among 3 processes",
        ),
        (["trainer.devices=two"], "trainer.devices='two': pass a number"),
        (["trainer=ddp", "trainer.devices=[a]"], r"trainer\.devices=\['a'\]: pass a number"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_devices_that_a_job_of_this_machine_does_not_get(words: list[str], message: str) -> None:
    for launcher in ("basic", "joblib"):
        with pytest.raises(ConfigError, match=message):
            check(f"launcher.name={launcher}", *words)


@pytest.mark.usefixtures("gpus")
def test_devices_that_it_gets() -> None:
    check("launcher.gpus_per_job=0", "trainer.devices=1")
    check("trainer=ddp", "trainer.devices=2", "launcher.gpus_per_job=2")
    check("trainer=ddp", "launcher.gpus_per_job=4", "trainer.sync_batchnorm=true")
    check("trainer=ddp_cpu")


@pytest.mark.usefixtures("no_gpus")
def test_without_a_gpu_one_is_missed_here_and_may_be_there_elsewhere() -> None:
    with pytest.raises(ConfigError, match="this machine has no CUDA GPU"):
        check("trainer=gpu")
    check("trainer.accelerator=auto")
    for launcher in ("slurm", "submitit", "ray"):
        check(f"launcher.name={launcher}", "trainer=ddp", "trainer.sync_batchnorm=true")
        with pytest.raises(ConfigError, match="does not divide among 3 processes"):
            check(f"launcher.name={launcher}", "trainer=ddp", "trainer.devices=3")
        with pytest.raises(ConfigError, match="does not divide among 5 processes"):
            check(f"launcher.name={launcher}", "trainer=ddp_cpu", "trainer.devices=5")


@pytest.mark.usefixtures("no_gpus")
def test_any_job_can_be_built_on_one_cpu() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", ["trainer=ddp", "trainer.sync_batchnorm=true"])
    use_one_cpu(cfg)
    options = trainer_options(cfg.trainer)
    assert (options["accelerator"], options["devices"]) == ("cpu", 1)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("trainer.accelerator=cpuu", "trainer.accelerator='cpuu': use auto, cpu, gpu or mps"),
        ("trainer.strategy=fsdpp", "trainer.strategy='fsdpp': unknown. Did you mean 'fsdp'"),
        ("++trainer.num_nodes=0", "trainer.num_nodes=0: expected a whole number of 1 or more"),
    ],
)
def test_what_no_machine_has_is_refused_for_every_launcher(word: str, message: str) -> None:
    for launcher in ("basic", "slurm"):
        with pytest.raises(ConfigError, match=message):
            check(f"launcher.name={launcher}", "trainer=ddp", word)
