"""Train a model, score its best weights, and leave a run directory."""

import logging
import shlex
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from segmentation import build, console, runs
from segmentation.data.datamodule import SegmentationData
from segmentation.data.scan import Scan, scan
from segmentation.errors import ConfigError, DataError
from segmentation.hardware import device_name
from segmentation.models import describe_model, save_model
from segmentation.quiet import quiet_libraries
from segmentation.training.pictures import save_pictures


def train(cfg: DictConfig) -> float:
    """Train as configured and return the val mIoU of the best weights.

    Raises:
        SegmentationError: for whatever a user can mend.
    """
    quiet_libraries()
    started = time.perf_counter()
    hydra_cfg = HydraConfig.get()
    directory = Path(hydra_cfg.runtime.output_dir)
    if rank_zero_only.rank == 0 and (directory / "checkpoints").exists():
        raise ConfigError(
            f"{directory} already holds a run. Choose another hydra.run.dir, or remove that one."
        )
    if hydra_cfg.mode == RunMode.MULTIRUN and cfg.trainer.get("strategy"):
        raise ConfigError(
            "several processes (trainer=ddp) cannot run inside a sweep (-m): each would start the "
            "sweep again. Run the jobs one by one, or sweep with one device each."
        )
    warnings = runs.WarningLog()
    logging.getLogger("segmentation").addHandler(warnings)
    try:
        return _train(cfg, directory, warnings, started)
    finally:
        logging.getLogger("segmentation").removeHandler(warnings)


def _train(cfg: DictConfig, directory: Path, warnings: runs.WarningLog, started: float) -> float:
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    options = build.trainer_options(cfg.trainer, freezes=cfg.encoder.freeze_epochs > 0)
    classes = build.build_classes(cfg.data)
    splits = build.build_samples(cfg.data)
    for split in ("train", "val"):
        if split not in splits:
            raise DataError(
                f"no {split} split in {cfg.data.root} (splits there: {', '.join(splits)}). "
                f"Training needs {split}/ and {split}annot/."
            )
    scans = {split: scan(samples, classes) for split, samples in splits.items()}
    plain = OmegaConf.to_container(cfg, resolve=True)
    data = build.build_data(cfg.data, splits, plain["augment"]["transforms"], cfg.seed)
    data.check_sizes(scans["train"].sizes)
    model = build.build_model(cfg, len(classes))
    module = build.build_module(
        cfg, model, classes, scans["train"].pixels,
        checkpoint_extra={"model": describe_model(model, classes, data.size), "config": plain},
    )  # fmt: skip
    loggers = build.build_loggers(cfg.logger, directory)
    trainer = build.build_trainer(
        options,
        default_root_dir=directory,
        logger=loggers,
        callbacks=build.build_callbacks(cfg.callbacks, directory, loggers),
    )
    for logger in loggers[1:]:  # the CSV's would repeat config.yaml
        logger.log_hyperparams(plain)
    if trainer.is_global_zero:
        runs.write_config(directory, cfg)
        runs.write_environment(
            directory,
            data={split: found.fingerprint for split, found in scans.items()},
            encoder_weights=model.encoder.source,
            device=device_name(options["accelerator"]),
            precision=options["precision"],
            processes=trainer.world_size,
            seed=cfg.seed,
        )
        console.show_summary(
            {
                "data": _data_line(cfg, scans, data),
                "classes": f"{len(classes)} ({', '.join(classes.names)})",
                "encoder": f"{cfg.encoder.name} · {model.encoder.source}",
                "parameters": _parameters_line(model),
                "device": _device_line(options, trainer),
                "training": _training_line(cfg, trainer, len(splits["train"])),
                "writes to": str(directory),
            }
        )

    trainer.fit(module, datamodule=data)

    checkpoint = trainer.checkpoint_callbacks[0]
    best = torch.load(checkpoint.best_model_path, weights_only=True, map_location="cpu")
    module.load_state_dict(best["state_dict"])
    split = "test" if "test" in splits else "val"
    # As test whichever the split: in Lightning's validation an average of weights would step in.
    trainer.test(module, dataloaders=data.scoring_dataloader(split), verbose=False)
    val_miou = float(checkpoint.best_model_score)
    if not trainer.is_global_zero:
        return val_miou
    result = runs.write_scores(
        directory, module.confusion, [sample.name for sample in splits[split]], classes,
        split=split,
        val_miou=val_miou,
        epoch=int(best["epoch"]) + 1,
        encoder_weights=model.encoder.source,
        seconds=round(time.perf_counter() - started, 1),
        warnings=warnings.messages,
    )  # fmt: skip
    for logger in loggers:
        logger.log_metrics({f"best/{split}_miou": result.miou, "best/val_miou": val_miou})
        logger.finalize("success")
    save_model(model, directory / "model", classes, data.size)
    save_pictures(model, data.datasets[split], classes, directory / "pictures.png")
    console.show_scores(
        f"best weights (epoch {best['epoch'] + 1}) on {split}",
        result, classes.names, scans[split].pixels.sum(axis=0),
    )  # fmt: skip
    console.show_warnings(warnings.messages)
    _say_next(directory, split)
    return val_miou


def _data_line(cfg: DictConfig, scans: dict[str, Scan], data: SegmentationData) -> str:
    counts = " + ".join(f"{len(found.sizes)} {split}" for split, found in scans.items())
    height, width = data.size or scans["train"].sizes.max(axis=0)
    crops = f", crops {data.crop[0]}x{data.crop[1]}" if data.crop else ""
    return f"{cfg.data.name} in {cfg.data.root}: {counts} images, {height}x{width}{crops}"


def _parameters_line(model: torch.nn.Module) -> str:
    total = sum(parameter.numel() for parameter in model.parameters())
    encoder = sum(parameter.numel() for parameter in model.encoder.parameters())
    return f"{total / 1e6:.1f} M (encoder {encoder / 1e6:.1f} M)"


def _device_line(options: dict[str, Any], trainer: pl.Trainer) -> str:
    processes = f", {trainer.world_size} processes" if trainer.world_size > 1 else ""
    return f"{device_name(options['accelerator'])}{processes} · precision {trainer.precision}"


def _training_line(cfg: DictConfig, trainer: pl.Trainer, images: int) -> str:
    steps = max(images // cfg.data.batch_size, 1)
    limit = f", at most {cfg.trainer.max_time}" if cfg.trainer.max_time else ""
    return (
        f"{trainer.max_epochs} epochs of {steps} batches of {cfg.data.batch_size}{limit} · "
        f"seed {cfg.seed}"
    )


def _say_next(directory: Path, split: str) -> None:
    here = Path.cwd()
    inside = directory.is_relative_to(here)
    run = shlex.quote(str(directory.relative_to(here) if inside else directory))
    console.console.print(
        f"\nrun directory: {run}  (pictures.png shows what it sees)\nnext:\n"
        f"  python evaluate.py run={run} split=val\n"
        f"  python predict.py model={run} input=<images> output=<folder> overlay=true\n"
        "  python train.py encoder=resnet34",
        soft_wrap=True, highlight=False, markup=False,
    )  # fmt: skip
