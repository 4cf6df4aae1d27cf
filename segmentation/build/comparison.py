"""`compare`: from the configuration to a plan of plain values."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from omegaconf import DictConfig, OmegaConf

from segmentation.config import user_path
from segmentation.errors import ConfigError, check_count, check_flag
from segmentation.system.hardware import check_accelerator

Unit = Literal["auto", "image", "block"]
"""What the bootstrap draws."""

Correction = Literal["none", "holm", "bh"]
"""How p-values are corrected for their number."""


@dataclass(frozen=True)
class ComparisonPlan:
    """A comparison as configured; see conf/compare.yaml for the meaning of each value."""

    runs: str | Sequence[str] | None
    sweep: str | None
    names: Sequence[str] | None
    split: str | None
    by: Unit
    correction: Correction
    seeds_only: bool
    resamples: int
    seed: int
    speed: bool
    size: tuple[int, int] | None
    device: str
    output: Path


def read_comparison(cfg: DictConfig) -> ComparisonPlan:
    """Return the plan of a comparison.

    Raises:
        ConfigError: an invalid option.
    """
    if cfg.by not in get_args(Unit):
        raise ConfigError(f"by={cfg.by}: use {', '.join(get_args(Unit))}.")
    if cfg.correction not in get_args(Correction):
        raise ConfigError(f"correction={cfg.correction}: use {', '.join(get_args(Correction))}.")
    check_accelerator(cfg.device, "device")
    return ComparisonPlan(
        runs=_plain(cfg.runs),
        sweep=cfg.sweep,
        names=_plain(cfg.names),
        split=cfg.split,
        by=cfg.by,
        correction=cfg.correction,
        seeds_only=check_flag("plan", cfg.plan),
        resamples=check_count("resamples", cfg.resamples, 1),
        seed=check_count("seed", cfg.seed, 0),
        speed=check_flag("speed", cfg.speed),
        size=_size(_plain(cfg.size)),
        device=cfg.device,
        output=_output(cfg.output, cfg.sweep),
    )


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _size(sides: Any) -> tuple[int, int] | None:
    if sides is None:
        return None
    if not (
        isinstance(sides, list) and len(sides) == 2 and all(type(s) is int and s > 0 for s in sides)
    ):
        raise ConfigError(f"size={sides}: expected [height,width] in pixels, or null.")
    return sides[0], sides[1]


def _output(output: str | None, sweep: str | None) -> Path:
    if output:
        return user_path(output)
    if sweep:
        return user_path(sweep) / "comparison"
    return Path("runs") / f"compare_{time.strftime('%Y-%m-%d_%H-%M-%S')}"
