"""TensorBoard and MLflow, with files of a run directory's own and no server.

A run that was resumed goes on in its curves.
"""

import importlib.util
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytorch_lightning.loggers import Logger, MLFlowLogger, TensorBoardLogger
from pytorch_lightning.loggers.logger import DummyLogger, rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from segmentation.errors import ConfigError
from segmentation.loggers.forgiving import Forgiving
from segmentation.loggers.wandb_logger import keep_id, known_id
from segmentation.system.ranks import rank

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


class TensorboardLogger(Forgiving, TensorBoardLogger):
    """TensorBoard's curves in the folder `tensorboard` of a run directory."""

    service = "TensorBoard"
    buffers = True

    def go_on_from(self, step: int) -> None:
        """Let TensorBoard leave out what earlier files hold from `step` on."""
        self._close()
        self._kwargs["purge_step"] = step

    def reopen(self, error: Exception) -> None:
        """Begin a new file: the thread that wrote the old one has ended."""
        self._close()

    def _close(self) -> None:
        with suppress(Exception):
            if self._experiment is not None:
                self._experiment.close()
        self._experiment = None


class MlflowLogger(Forgiving, MLFlowLogger):
    """MLflow's curves in a database of a run directory's own.

    Args:
        folder: where they are, and the id of the run for a start that goes on with it.
        experiment: what MLflow groups runs by.
    """

    service = "MLflow"

    def __init__(self, folder: Path, experiment: str) -> None:
        database = folder / "mlflow.db"
        super().__init__(
            experiment_name=experiment,
            run_name=folder.parent.name,
            # SQLite, because MLflow 3 refuses its older store of plain files.
            tracking_uri=f"sqlite:///{database}",
            artifact_location=(folder / "artifacts").as_uri(),
            run_id=known_id(folder) if database.is_file() else None,
        )
        self._folder = folder
        self._goes_on = self._run_id is not None

    @property
    @rank_zero_experiment
    def experiment(self) -> "MlflowClient":
        """The client, after it has made or found the run."""
        new = self._run_id is None
        client = super().experiment
        if new and self._run_id is not None:
            keep_id(self._folder, self._run_id)
        return client

    @property
    def name(self) -> str:
        """The experiment. Nothing is opened for it: Lightning asks where a failure would count."""
        return self._experiment_name

    @property
    def version(self) -> str | None:
        """The run's id, once it is opened."""
        return self._run_id

    def reopen(self, error: Exception) -> None:
        """Look for the run again."""
        self._initialized = False

    @rank_zero_only
    def log_hyperparams(self, params: Any = None, *args: Any, **options: Any) -> None:
        """Log the configuration of a new run; MLflow refuses to change that of an old one."""
        if not self._goes_on:
            super().log_hyperparams(params, *args, **options)


def tensorboard(save_dir: str | os.PathLike) -> Logger:
    """Return a TensorBoard logger that writes into the folder `tensorboard` of a run directory.

    Raises:
        ConfigError: the package is not installed.
    """
    _require("tensorboard")
    return TensorboardLogger(os.fspath(save_dir), name="tensorboard", version="")


def mlflow(save_dir: str | os.PathLike, experiment: str = "cityseg") -> Logger:
    """Return an MLflow logger with a database of its own in the folder `mlflow`; no server.

    Raises:
        ConfigError: the package is not installed.
    """
    _require("mlflow")
    if rank():
        return DummyLogger()  # one process makes the database
    folder = Path(save_dir).absolute() / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    return MlflowLogger(folder, experiment)


def _require(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ConfigError(
            f"logger={package} needs a package that is not here: type "
            f"`.venv/bin/python -m pip install -e '.[{package}]'` or use logger=none."
        )
