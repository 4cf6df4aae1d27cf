"""The devices of a sweep's job, as far as they are known before it starts."""

from typing import Any

from omegaconf import DictConfig, open_dict

from segmentation.build.data_options import batch_size
from segmentation.build.trainer import check_options
from segmentation.build.typed_options import typed_keys, yield_to_typed
from segmentation.cli.sweep import launcher_share
from segmentation.config import plain
from segmentation.errors import ConfigError
from segmentation.system.hardware import pick_accelerator
from segmentation.training.distributed import check_processes, processes_here
from segmentation.training.limits import check_division

HERE = ("basic", "joblib")
"""Launchers whose jobs run on this machine; another machine may have other devices."""


def check_job_devices(cfg: DictConfig) -> None:
    """Check that a job gets the devices that it asks for, and that its batch divides among them.

    Args:
        cfg: of the job.

    Raises:
        ConfigError: it does not.
    """
    cfg = yield_to_typed(cfg, typed_keys())
    options = plain(cfg.trainer)
    check_options(options)
    every = options["devices"] == -1
    if cfg.launcher.name in HERE:
        gpus = int(launcher_share(cfg.launcher).gpus_per_job)
        options["accelerator"] = _accelerator(str(options["accelerator"]), gpus)
        if options["accelerator"] == "cuda":
            _check_gpus(options, gpus)
            options["devices"] = gpus if every else options["devices"]
    elif options["accelerator"] != "cpu":
        options["accelerator"] = "cuda"  # which has no limits that the CPU lacks
        options["devices"] = 1 if every else options["devices"]
    check_division(batch_size(cfg.data), check_processes(options))


def use_one_cpu(cfg: DictConfig) -> None:
    """Replace the devices of a job, so that it can be built on any machine."""
    with open_dict(cfg):
        cfg.trainer.update(
            accelerator="cpu", devices=1, num_nodes=1, strategy="auto", sync_batchnorm=False
        )


def _accelerator(name: str, gpus: int) -> str:
    """Return the kind of device that a job with this many GPUs picks."""
    kind = pick_accelerator(name, "trainer")
    if kind != "cuda" or gpus:
        return kind
    if name == "auto":
        return "cpu"
    raise ConfigError(
        f"trainer.accelerator={name}, but a job gets no GPU with launcher.gpus_per_job=0. "
        "Omit that, or type trainer=cpu."
    )


def _check_gpus(options: dict[str, Any], gpus: int) -> None:
    devices = options["devices"]
    processes_here(options)  # so that they are whole numbers
    needed = max(devices) + 1 if isinstance(devices, list) else devices
    if needed > gpus:
        raise ConfigError(
            f"trainer.devices={devices}, but a job gets {gpus} GPU{'s' * (gpus > 1)}. "
            f"Also type launcher.gpus_per_job={needed}."
        )
