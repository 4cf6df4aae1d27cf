"""`publish`: from the configuration to a plan of plain values."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, ListConfig

from segmentation.config import user_path
from segmentation.errors import ConfigError, ModelError, check_flag
from segmentation.runs.directory import finished, run_of


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
        ModelError: the run is not finished.
    """
    if not isinstance(cfg.limits, ListConfig | None):
        raise ConfigError(f"limits={cfg.limits}: expected a list, as \"limits=['Night scenes']\".")
    half, run = check_flag("half", cfg.half), user_path(cfg.run)
    if run_of(run) != run or not finished(run):
        raise ModelError(
            f"run={run}: there is no finished run there. A model's card shows its scores and how "
            "it was trained: pass a run directory (such as runs/<name>) that holds metrics.json."
        )
    return PublicationPlan(
        run=run,
        output=user_path(cfg.output),
        half=half,
        licence=cfg.licence,
        limits=tuple(map(str, cfg.limits or ())),
    )
