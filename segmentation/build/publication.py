"""`publish`: from the configuration to a plan of plain values."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, ListConfig

from segmentation.config import user_path
from segmentation.errors import ConfigError, check_flag


@dataclass(frozen=True)
class PublicationPlan:
    """A publication as configured; see conf/publish.yaml for the meaning of each value."""

    run: Path
    output: Path
    half: bool
    licence: str | None
    limits: tuple[str, ...]


def read_publication(cfg: DictConfig) -> PublicationPlan:
    """Return the plan of a publication.

    Raises:
        ConfigError: an invalid option.
    """
    if not isinstance(cfg.limits, ListConfig | None):
        raise ConfigError(f"limits={cfg.limits}: expected a list, as \"limits=['Night scenes']\".")
    return PublicationPlan(
        run=user_path(cfg.run),
        output=user_path(cfg.output),
        half=check_flag("half", cfg.half),
        licence=cfg.licence,
        limits=tuple(map(str, cfg.limits or ())),
    )
