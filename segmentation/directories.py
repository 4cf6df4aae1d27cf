"""Which directory a run goes to: a new one, or that of the run it goes on with.

A run directory is its run's state: `config.yaml` is there as soon as it has begun, `metrics.json`
once it is finished, and `run.lock` is held as long as a process works in it. Nothing here imports
torch: Hydra asks for the directory before anything else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf

from segmentation.errors import ConfigError
from segmentation.ranks import shared_name, started_from_outside
from segmentation.whole_files import read_json

CONFIG = "config.yaml"
METRICS = "metrics.json"
MATRICES = "per_image.npz"
EVALUATION = "evaluation"
"""Of a run: `evaluate.py` keeps its scorings there, each in a directory of its own."""
LOCK = "run.lock"
REPORT = "report.html"
NOT_KEPT = ("hydra", "resume", "rerun", "launcher", "sweep")
"""What says how a run is started, not what it is."""

_chosen: dict[str, str] = {}


def settings(cfg: DictConfig) -> dict[str, Any]:
    """Return what a run is: its configuration without what says how it is started."""
    kept = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key not in NOT_KEPT])
    kept._set_parent(cfg)  # for interpolations into what is left out
    return cast(dict[str, Any], OmegaConf.to_container(kept, resolve=True))


def begun(directory: Path) -> bool:
    """Return whether a run has begun there."""
    return (directory / CONFIG).is_file()


def finished(directory: Path) -> bool:
    """Return whether the run there is finished."""
    return (directory / METRICS).is_file()


def owner(path: Path) -> Path | None:
    """Return the run that a run directory, one of its checkpoints or its model belongs to."""
    if path.parent.name == "checkpoints":
        path = path.parent.parent
    elif path.name == "model":
        path = path.parent
    known = all((path / name).is_file() for name in (CONFIG, "environment.json"))
    return path if known else None


def working(directory: Path) -> bool:
    """Return whether a process works on the run there."""
    if not (directory / LOCK).exists():
        return False
    try:
        with FileLock(directory / LOCK, timeout=0):
            return False
    except Timeout:
        return True


@contextmanager
def at_work(directory: Path) -> Iterator[None]:
    """Keep other processes out of a run directory.

    Raises:
        ConfigError: one is at work there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lock = FileLock(directory / LOCK, timeout=2)  # who only looks (see `working`) is soon gone
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"another process trains in {directory}. Wait for it, or choose another hydra.run.dir."
        ) from error
    try:
        yield
        if finished(directory):
            (directory / LOCK).unlink(missing_ok=True)
    finally:
        lock.release()


def run_directory(folder: str, time: str, what: str, token: str, _root_: DictConfig) -> str:
    """Return the directory of the run that a configuration means (the resolver of hydra.run.dir).

    Args:
        folder: where new runs go.
        time: of the start.
        what: is trained.
        token: tells runs of one second apart.

    Raises:
        ConfigError: `resume` is no run directory; or there is no name that all ranks would find.
    """
    resume = _root_.get("resume")
    if resume not in (None, "auto"):
        directory = Path(resume).expanduser()
        if (directory / "jobs.csv").is_file():
            raise ConfigError(
                f"resume={resume}: that is a sweep. Give its command again with "
                f"hydra.sweep.dir={resume}: it runs what is missing."
            )
        if not begun(directory):
            raise ConfigError(
                f"resume={resume}: there is no run in {directory.absolute()} (it would have a "
                f"{CONFIG}). Name a run directory, or type resume=auto for the newest one."
            )
        return str(directory)
    if rerun := _root_.get("rerun"):
        what = _what(Path(rerun).expanduser())
    if started_from_outside() is not None:  # each rank asks for itself
        shared = shared_name()
        if shared is None:
            raise ConfigError(
                "torchrun on several machines: name one directory that all processes share, as in "
                "hydra.run.dir=runs/<name>, or start torchrun with --rdzv-id=<name>."
            )
        of_all = Path(folder) / f"{shared}_{what}"
        if resume is None or begun(of_all):
            return str(of_all)
        # Whether somebody works there is rank zero's to find out: it would look as if all did.
        return str(_newest_unfinished(Path(folder), settings(_root_), idle=False) or of_all)
    new = str(Path(folder) / f"{time}_{what}_{token}")
    if resume is None:
        return new
    if new not in _chosen:  # asked for again while the run is at work
        _chosen[new] = str(_newest_unfinished(Path(folder), settings(_root_)) or new)
    return _chosen[new]


def _what(earlier: Path) -> str:
    """Return what the repetition of a run trains, as names of directories have it."""
    if not begun(earlier):
        raise ConfigError(f"rerun={earlier}: there is no run in {earlier.absolute()}.")
    kept = read_settings(earlier)
    return f"{kept['data']['name']}_{kept['encoder']['name']}_again"


def _newest_unfinished(folder: Path, wanted: dict[str, Any], idle: bool = True) -> Path | None:
    """Return the newest run in a folder that has this configuration and has not ended.

    Args:
        idle: nobody is at work there.
    """
    configs = [path for path in folder.glob(f"*/{CONFIG}") if not finished(path.parent)]
    for path in sorted(configs, key=lambda path: path.stat().st_mtime, reverse=True):
        if read_settings(path.parent) == wanted and not (idle and working(path.parent)):
            return path.parent
    return None


def read_settings(directory: Path) -> dict[str, Any]:
    """Return the configuration that a run directory keeps."""
    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(directory / CONFIG)))


def read_metrics(directory: Path) -> dict[str, Any] | None:
    """Return the `metrics.json` of a run (`score`, `pruned` if so, ...); None before its end."""
    return read_json(directory / METRICS)


def recorded(directory: str | Path) -> dict[str, Any]:
    """Return what a directory that was scored into says, and where it is, for `--json`."""
    return {"directory": str(directory), **(read_metrics(Path(directory)) or {})}
