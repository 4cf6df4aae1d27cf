"""Loggers: what a run tells W&B, TensorBoard and MLflow, all of it kept below the run directory.

W&B is a convenience and must never cost a run. A run is online when there are credentials and the
server answers, and offline otherwise; whatever fails later is one warning.
"""

import importlib.util
import logging
import os
import shlex
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pytorch_lightning.loggers import Logger, MLFlowLogger, TensorBoardLogger
from pytorch_lightning.loggers import WandbLogger as LightningWandbLogger
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from segmentation.errors import ConfigError

if TYPE_CHECKING:
    from wandb import Run, Settings

PROBE_SECONDS = 3.0
INIT_SECONDS = 10.0
FINISH_SECONDS = 60.0

log = logging.getLogger(__name__)
_set_here: dict[str, str] = {}


class WandbLogger(LightningWandbLogger):
    """Lightning's W&B logger, made unable to stop a run or to hold it up.

    `WANDB_MODE`, `WANDB_BASE_URL` and the other variables of W&B are honoured. Only rank zero
    opens a run, at the first thing logged.

    Args:
        save_dir: the run directory; everything lands in its folder `wandb`.
        project: the W&B project.
        entity: the W&B user or team; None for the account's default.
        name: what the run is called; None for the name of the run directory.
        group: the group of runs it is shown in.
        tags: its tags.
    """

    def __init__(
        self,
        save_dir: str | os.PathLike,
        project: str = "cityseg",
        entity: str | None = None,
        name: str | None = None,
        group: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> None:
        folder = Path(save_dir).absolute()
        super().__init__(
            save_dir=folder,
            project=project,
            entity=entity,
            name=name or folder.name,
            group=group,
            tags=list(tags) if tags else None,
        )
        self._folder = folder
        self._warned = False

    @property
    @rank_zero_experiment
    def experiment(self) -> "Run":
        """The W&B run, opened by the first access."""
        if self._experiment is None:
            keys = ("project", "entity", "name", "group", "tags")
            options = {key: self._wandb_init[key] for key in keys}
            self._experiment = open_run(self._folder, **options)
            with self.forgiving():
                axis = "trainer/global_step"
                self._experiment.define_metric(axis)
                self._experiment.define_metric("*", step_metric=axis, step_sync=True)
        return cast("Run", self._experiment)

    @property
    def online(self) -> bool:
        """Whether what is logged goes to a server."""
        return not (self.experiment.offline or self.experiment.disabled)

    def check_server(self) -> None:
        """Find out whether the server of an online run is still there.

        Raises:
            ConnectionError: it is not; whatever W&B waits for would only hold the run up.
        """
        if self.online:
            _ask(self.experiment.settings.base_url)

    @contextmanager
    def forgiving(self) -> Iterator[None]:
        """Turn a failure of W&B into a warning; only the first is shown."""
        try:
            yield
        except Exception as error:
            if not self._warned:
                self._warned = True
                log.warning("W&B failed, the run goes on: %s", _short(error))

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """Add plain values to the configuration that W&B shows."""
        with self.forgiving():
            super().log_hyperparams(params)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log one value of each curve."""
        with self.forgiving():
            super().log_metrics(metrics, step)

    @rank_zero_only
    def finish(self, exit_code: int = 0) -> None:
        """Close the run; what is not uploaded in a minute stays on disk."""
        if self._experiment is None:
            return
        run = cast("Run", self._experiment)
        with self.forgiving():
            try:
                run.finish(exit_code)
            except TimeoutError:
                log.warning("W&B has not taken everything in time: %s", sync_command(run))


def open_run(folder: Path, **options: Any) -> "Run":
    """Open a W&B run online if that can work, else offline, else one that keeps nothing.

    Args:
        folder: where W&B keeps what it writes, in a folder `wandb`.
        options: project, entity, name, group and tags, for `wandb.init`.

    Returns:
        The run. Where it is not online a line in the log says why, and how to upload it.
    """
    import wandb

    keep_below(folder / "wandb")
    settings = wandb.Settings(
        silent=True,  # its lines would break the progress bar; ours say the same
        console="off",  # capturing the console would keep every frame of the progress bar
        init_timeout=INIT_SECONDS,
        finish_timeout=FINISH_SECONDS,
        finish_timeout_raises=True,
        git_root=str(Path(__file__).resolve().parents[2]),  # the commit of this code
    )
    options |= {"dir": folder, "settings": settings, "reinit": "create_new"}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        chosen = wandb.setup(settings).settings
        if chosen.mode == "disabled":
            return wandb.init(mode="disabled", **options)
        level = logging.INFO
        try:
            reason = stays_offline(chosen)
            if reason is None:
                return _open_online(chosen.base_url, options)
        except Exception as error:
            level, reason = logging.WARNING, _short(error)
        run = wandb.init(mode="offline", **options)
        log.log(level, "W&B is offline: %s. To upload the run: %s", reason, sync_command(run))
        return run
    except Exception as error:
        log.warning("W&B keeps nothing of this run: %s", _short(error))
        return wandb.init(mode="disabled", **options)


def stays_offline(settings: "Settings") -> str | None:
    """Return why the user's own choice is to be offline, or None. Nothing here asks the user."""
    import wandb

    if settings.mode in ("offline", "dryrun"):
        return "WANDB_MODE or `wandb offline` says so"
    if not wandb.login(prompt=False, verify=False):
        return f"no credentials for {settings.base_url} (`wandb login` makes them)"
    return None


def _open_online(url: str, options: dict[str, Any]) -> "Run":
    import wandb

    # `wandb.init` needs its whole time limit to find out that nobody is there.
    _ask(url)
    run = wandb.init(mode="online", **options)
    log.info("W&B: %s", run.url)
    return run


def _ask(url: str) -> None:
    if not answers(url):
        raise ConnectionError(f"{url} does not answer")


def _short(error: Exception) -> str:
    """Return what an error is in one line."""
    first, *_ = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {first}"


def sync_command(run: "Run") -> str:
    """Return the command that uploads what a run has left on disk."""
    return f"wandb sync {shlex.quote(str(Path(run.dir).parent))}"


def keep_below(folder: Path) -> None:
    """Keep W&B's files out of the home directory, and its telemetry on this machine.

    What the user has set stays; what an earlier run of this process has set does not, as tables
    wait in that folder for `wandb sync`.
    """
    files = ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_ARTIFACT_DIR")
    # With telemetry even an offline run reports to the server, and the exit waits for the report.
    wanted = {**dict.fromkeys(files, str(folder / "cache")), "WANDB_ERROR_REPORTING": "false"}
    for variable, value in wanted.items():
        if os.environ.get(variable) in (None, _set_here.get(variable)):
            os.environ[variable] = _set_here[variable] = value


def answers(url: str, seconds: float = PROBE_SECONDS) -> bool:
    """Return whether an HTTP server answers in time; any status will do. Proxies are honoured."""
    answered = threading.Event()

    def ask() -> None:
        try:
            urllib.request.urlopen(url, timeout=seconds).close()
        except urllib.error.HTTPError:
            answered.set()
        except urllib.error.URLError as error:
            # A certificate that only Python does not know is an answer: W&B has its own.
            if isinstance(error.reason, ssl.SSLError):
                answered.set()
        except (OSError, HTTPException):
            pass
        else:
            answered.set()

    # Looking a name up has no time limit of its own, so it must not be waited for.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return answered.is_set()


def tensorboard(save_dir: str | os.PathLike) -> Logger:
    """Return a TensorBoard logger that writes into the folder `tensorboard` of a run directory.

    Raises:
        ConfigError: the package is not installed.
    """
    _require("tensorboard")
    return TensorBoardLogger(os.fspath(save_dir), name="tensorboard", version="")


def mlflow(save_dir: str | os.PathLike, experiment: str = "cityseg") -> Logger:
    """Return an MLflow logger with a database of its own in the folder `mlflow`; no server.

    Raises:
        ConfigError: the package is not installed.
    """
    _require("mlflow")
    folder = Path(save_dir).absolute() / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # SQLite, because MLflow 3 refuses its older store of plain files.
    return MLFlowLogger(
        experiment_name=experiment,
        run_name=folder.parent.name,
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
        artifact_location=(folder / "artifacts").as_uri(),
    )


def _require(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ConfigError(
            f"logger={package} needs a package that is not here: type "
            f"`.venv/bin/python -m pip install -e '.[{package}]'` or use logger=none."
        )
