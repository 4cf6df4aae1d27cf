"""Train a model, score its best weights, and leave a run directory."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import Logger

from segmentation import build, console, runs
from segmentation.checks import check_count
from segmentation.commands.summary import summary
from segmentation.data.datamodule import SegmentationData
from segmentation.data.scan import Scan, scan
from segmentation.errors import ConfigError, DataError, TrainingError
from segmentation.hardware import device_name
from segmentation.models import describe_model, save_model
from segmentation.pictures import save_pictures
from segmentation.quiet import quiet_libraries
from segmentation.training.loggers import WandbLogger
from segmentation.training.module import SegmentationModule


def train(cfg: DictConfig) -> float:
    """Train as configured and return the val mIoU of the best weights.

    Raises:
        SegmentationError: for whatever a user can mend.
    """
    started = time.perf_counter()
    quiet_libraries()
    directory = _new_directory()
    check_count("seed", cfg.seed, 0)
    with runs.collected_warnings() as warnings:
        pl.seed_everything(cfg.seed, workers=True, verbose=False)
        options = build.trainer_options(cfg.trainer, freezes=bool(cfg.encoder.freeze_epochs))
        _refuse_processes_in_a_sweep(options)
        plain = build.plain(cfg)
        data, scans = _data(cfg, plain["augment"]["transforms"])
        model = build.build_model(cfg, len(data.classes))
        module = build.build_module(
            cfg, model, data.classes, scans["train"].pixels,
            checkpoint_extra={
                "model": describe_model(model, data.classes, data.size), "config": plain,
            },
        )  # fmt: skip
        loggers = build.build_loggers(cfg.logger, directory)
        with _closing(loggers):
            for logger in loggers[1:]:  # the CSV's would repeat config.yaml
                logger.log_hyperparams(plain)
            trainer = build.build_trainer(
                options,
                default_root_dir=directory,
                logger=loggers,
                callbacks=build.build_callbacks(cfg.callbacks, directory, loggers),
            )
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
                console.show_summary(summary(cfg, data, scans, model, trainer, directory))
            trainer.fit(module, datamodule=data)
            return _score(trainer, module, data, scans, directory, warnings, started)


def _new_directory() -> Path:
    """Return the run directory; it must not hold a run yet."""
    directory = Path(HydraConfig.get().runtime.output_dir)
    if os.environ.get("LOCAL_RANK", "0") == "0" and (directory / "checkpoints").exists():
        raise ConfigError(
            f"{directory} already holds a run. Choose another hydra.run.dir, or remove that one."
        )
    return directory


def _refuse_processes_in_a_sweep(options: dict[str, Any]) -> None:
    if "strategy" in options and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise ConfigError(
            "several processes (trainer=ddp, trainer.devices) cannot run inside a sweep (-m): each "
            "would start the sweep again. Run the jobs one by one, or with one device each."
        )


def _data(cfg: DictConfig, augment: list[dict]) -> tuple[SegmentationData, dict[str, Scan]]:
    """Return the data, after a look at every file."""
    if not cfg.data.name:
        raise ConfigError("data=as_trained is for evaluate.py. Train with data=camvid or streets.")
    splits = build.build_samples(cfg.data)
    for split in ("train", "val"):
        if split not in splits:
            raise DataError(
                f"no {split} split in {cfg.data.root} (splits there: {', '.join(splits)}). "
                f"Training needs {split}/ and {split}annot/."
            )
    data = build.build_data(cfg.data, splits, augment, cfg.seed)
    scans = {split: scan(samples, data.classes) for split, samples in splits.items()}
    data.check_sizes(scans["train"].sizes)
    return data, scans


@contextmanager
def _closing(loggers: Sequence[Logger]) -> Iterator[None]:
    """Close the loggers at the end, whatever the end is."""
    failed = True
    try:
        yield
        failed = False
    finally:
        for logger in loggers:
            logger.finalize("failed" if failed else "success")
            if isinstance(logger, WandbLogger):
                logger.finish(exit_code=int(failed))


def _score(
    trainer: pl.Trainer,
    module: SegmentationModule,
    data: SegmentationData,
    scans: dict[str, Scan],
    directory: Path,
    warnings: list[str],
    started: float,
) -> float:
    """Score the best weights on test, or on val where there is no test; return their val mIoU."""
    checkpoint = trainer.checkpoint_callbacks[0]
    assert isinstance(checkpoint, ModelCheckpoint)
    if not checkpoint.best_model_path:
        raise TrainingError(
            "training ended before val was scored once, so there is no best checkpoint; "
            f"{directory / 'checkpoints'} holds the last. Train for longer, or look at "
            "trainer.check_val_every_n_epoch and trainer.limit_val_batches."
        )
    best = torch.load(checkpoint.best_model_path, weights_only=True, map_location="cpu")
    val_miou = best["scores"]["miou"]
    module.load_state_dict(best["state_dict"])
    split = "test" if "test" in scans else "val"
    # As test whichever the split: in Lightning's validation an average of weights would step in.
    trainer.test(module, dataloaders=data.scoring_dataloader(split), verbose=False)
    if not trainer.is_global_zero:
        return val_miou
    assert module.confusion is not None
    dataset, epoch = data.datasets[split], int(best["epoch"]) + 1
    result = runs.write_scores(
        directory,
        module.confusion,
        [sample.name for sample in dataset.samples],
        data.classes,
        split=split,
        val_miou=val_miou,
        epoch=epoch,
        encoder_weights=module.model.encoder.source,
        seconds=round(time.perf_counter() - started, 1),
        warnings=warnings,
    )
    for logger in trainer.loggers:
        logger.log_metrics({f"best/{split}_miou": result.miou, "best/val_miou": val_miou})
    save_model(module.model, directory / "model", data.classes, data.size)
    save_pictures(module.model, dataset, data.classes, directory / "pictures.png")
    pixels = scans[split].pixels.sum(axis=0)
    title = f"best weights (epoch {epoch}) on {split}"
    console.show_scores(title, result, data.classes.names, pixels)
    console.show_warnings(warnings)
    here = Path.cwd()
    data_cfg = module.checkpoint_extra["config"]["data"]
    root = console.argument("data.root", data_cfg["root"])
    again = "" if "draw" in data_cfg else f"data={data_cfg['name']} {root} "
    run = directory.relative_to(here) if directory.is_relative_to(here) else directory
    console.show_next(
        f"run directory: {run}  (pictures.png shows what it sees)",
        f"python evaluate.py {console.argument('run', run)} split=val",
        f"python predict.py {console.argument('model', run)} "
        "input=<images> output=<folder> overlay=true",
        f"python train.py {again}encoder=resnet34",
    )
    return val_miou
