"""Let a default give way where it contradicts a value that was typed."""

import copy
import logging
from collections.abc import Iterable, Iterator
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, ListConfig, OmegaConf

from segmentation.config import task_overrides

log = logging.getLogger(__name__)


def typed_keys() -> list[str]:
    """Return the keys of the typed overrides, groups and values alike; none outside Hydra."""
    if not HydraConfig.initialized():
        return []
    overrides = OverridesParser.create().parse_overrides(task_overrides(HydraConfig.get()))
    return [override.key_or_group.replace("/", ".") for override in overrides]


def yield_to_typed(cfg: DictConfig, typed: Iterable[str], told: bool = True) -> DictConfig:
    """Return the configuration with other defaults where typed values exclude them, and say so.

    Args:
        cfg: see conf/train.yaml.
        typed: keys of the typed overrides.
        told: whether it is said.
    """
    changed = copy.deepcopy(cfg)
    for key, value, reason in _changes(cfg, set(typed)):
        before = OmegaConf.select(cfg, key)
        OmegaConf.update(changed, key, value, merge=False)
        if told:
            log.info("%s=%s gives way to %s: it is %s now", key, before, reason, value)
    return changed


def _changes(cfg: DictConfig, typed: set[str]) -> Iterator[tuple[str, Any, str]]:
    """Yield each key that gives way, its new value, and the typed option with its value."""
    data, trainer, optimizer = cfg.data, cfg.trainer, cfg.optimizer
    if "data.crop" not in typed:
        for key in {"data.size", "data.draw.size"} & typed:
            if _exceeds(data.crop, OmegaConf.select(cfg, key)):
                yield "data.crop", "auto", f"{key}={OmegaConf.select(cfg, key)}"

    if "trainer.max_epochs" not in typed and "trainer.max_steps" in typed:
        yield "trainer.max_epochs", -1, f"trainer.max_steps={trainer.max_steps}"

    if "data.batch_size" not in typed and {"trainer.devices", "trainer.num_nodes"} & typed:
        counts = (data.batch_size, trainer.devices, trainer.get("num_nodes", 1))
        if all(type(count) is int and count > 0 for count in counts):
            batch, ranks = counts[0], counts[1] * counts[2]
            if batch % ranks:
                yield "data.batch_size", max(batch // ranks, 1) * ranks, f"{ranks} processes"

    if "optimizer.fused" not in typed and optimizer.get("fused"):
        for key in ("foreach", "differentiable"):
            if f"optimizer.{key}" in typed and optimizer.get(key):
                yield "optimizer.fused", None, f"optimizer.{key}=true"


def _exceeds(crop: object, size: object) -> bool:
    """Return whether both are sizes, and the crop is higher or wider."""
    if not isinstance(crop, ListConfig) or not isinstance(size, ListConfig):
        return False
    sides = [*crop, *size]
    if len(crop) != 2 or len(size) != 2 or not all(isinstance(side, int) for side in sides):
        return False
    return crop[0] > size[0] or crop[1] > size[1]
