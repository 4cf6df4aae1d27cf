"""What a training with the default or given options would make of a data set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from segmentation.build.data_options import data_root
from segmentation.build.limits import FirstStep, check_first_step
from segmentation.build.module import loss_weights
from segmentation.build.targets import find_targets
from segmentation.config import user_path
from segmentation.data.check.finding import Finding, readable
from segmentation.data.check.targets import check_targets, describe_targets, read_targets
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.errors import ConfigError, DataError
from segmentation.system.logs import collected_warnings
from segmentation.targets import TargetColumns


@dataclass(frozen=True)
class ExpectedTraining:
    """What a training would make of a data set.

    Attributes:
        step: its batches; None where it can't start, which the findings say.
        balance: the kind of class weights, see `class_weights`.
        weights: of each class; None for none.
        targets: the image-level targets in words; empty where there are none.
        findings: what is wrong with its first step or with the targets.
    """

    step: FirstStep | None
    balance: str
    weights: list[float] | None
    targets: str
    findings: list[Finding]

    def to_dict(self) -> dict[str, Any]:
        """Return the batches and the class weights as plain values."""
        values: dict[str, Any] = {"class_weights": self.balance, "weights": self.weights}
        if self.step is None:
            return values
        height, width = self.step.batch.size
        return values | {
            "height": height,
            "width": width,
            "crop": self.step.crop is not None,
            "padding": self.step.padding,
            "batch_size": self.step.batch.images,
            "batches": self.step.batch.per_epoch,
        }


def expect_training(cfg: DictConfig, source: ScannedDataset) -> ExpectedTraining:
    """Work out what a training would do, without reading an image.

    Args:
        cfg: see conf/check.yaml.
        source: the data set, with its bad files.
    """
    good = readable(source)
    if "train" not in good.scans:
        return ExpectedTraining(None, cfg.loss.class_weights, None, "", [])
    with collected_warnings():  # each is among the findings
        targets, columns, findings = _targets(cfg.task, data_root(cfg.data), good)
    step = None
    try:
        step = check_first_step(cfg, good, {}, columns=columns)
        findings += [Finding("warning", "first-step", warning) for warning in step.warnings]
    except ConfigError as error:
        findings.append(Finding("error", "first-step", str(error)))
    weights = None
    if (pixels := good.scans["train"].pixels).any():
        weights = loss_weights(cfg.loss, pixels)
    return ExpectedTraining(
        step,
        cfg.loss.class_weights,
        None if weights is None else weights.tolist(),
        targets,
        findings,
    )


def _targets(
    task: DictConfig, root: Path, source: ScannedDataset
) -> tuple[str, TargetColumns | None, list[Finding]]:
    """Return the image-level targets in words, those that are learnt, and findings."""
    options, columns = task.targets, None
    learnt = dict.fromkeys(options["values"], "values")
    if options.category:
        learnt[options.category] = "category"
    file = user_path(options.file) if options.file else None
    told = ""
    findings: list[Finding] = []
    try:
        found = read_targets(root, source, file)
        if found is not None:
            told = describe_targets(found, learnt)
            findings += check_targets(source, found, learnt)
        if {"train", "val"} <= source.samples.keys():
            columns, _ = find_targets(task, root, source)  # has the last word on what is learnt
    except (DataError, ConfigError) as error:
        findings.append(Finding("error", "targets", str(error)))
    return told, columns, findings
