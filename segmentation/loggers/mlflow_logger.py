"""MLflow logger with a database in the run directory; a resumed run continues in it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytorch_lightning.loggers import Logger, MLFlowLogger
from pytorch_lightning.loggers.logger import DummyLogger, rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from segmentation.loggers.fault_tolerant import FaultTolerant
from segmentation.loggers.run_id import read_run_id, write_run_id
from segmentation.system.packages import require_extra
from segmentation.system.ranks import rank

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


TRACKING_URI = "MLFLOW_TRACKING_URI"


class MlflowLogger(FaultTolerant, MLFlowLogger):
    """Log to a server, or to a database in a folder of the run directory.

    Args:
        folder: holds the database, and the id of the run for a start that resumes it.
        experiment: MLflow's group of runs.
        tracking_uri: of the server; None for the database.
    """

    service = "MLflow"

    def __init__(self, folder: Path, experiment: str, tracking_uri: str | None = None) -> None:
        database = folder / "mlflow.db"
        known = tracking_uri is not None or database.is_file()
        super().__init__(
            experiment_name=experiment,
            run_name=os.environ.get("MLFLOW_RUN_NAME") or folder.parent.name,
            # SQLite, because MLflow 3 refuses its older store of plain files.
            tracking_uri=tracking_uri or f"sqlite:///{database}",
            artifact_location=None if tracking_uri else (folder / "artifacts").as_uri(),
            run_id=os.environ.get("MLFLOW_RUN_ID") or (read_run_id(folder) if known else None),
        )
        self._folder = folder
        self._resumed = self._run_id is not None

    @property
    @rank_zero_experiment
    def experiment(self) -> "MlflowClient":
        """The client, after it has created or opened the run."""
        new = self._run_id is None
        client = super().experiment
        if new and self._run_id is not None:
            write_run_id(self._folder, self._run_id)
        return client

    @property
    def name(self) -> str:
        """The experiment's name; nothing is opened for it, as Lightning reads it unprotected."""
        return self._experiment_name

    @property
    def version(self) -> str | None:
        """The run's id, once the run is open."""
        return self._run_id

    def reopen(self, error: Exception) -> None:
        """Open the run again."""
        self._initialized = False

    @rank_zero_only
    def log_hyperparams(self, params: Any = None, *args: Any, **options: Any) -> None:
        """Log the configuration of a new run; MLflow refuses to change that of an old one."""
        if not self._resumed:
            super().log_hyperparams(params, *args, **options)


def mlflow(
    save_dir: str | os.PathLike, experiment: str = "cityseg", tracking_uri: str | None = None
) -> Logger:
    """Return an MLflow logger.

    Args:
        save_dir: the run directory; its folder `mlflow` has the run's id.
        experiment: MLflow's group of runs.
        tracking_uri: of a server; None: `MLFLOW_TRACKING_URI`, else a database in that folder.

    Raises:
        ConfigError: the package is not installed.
    """
    require_extra("mlflow", "logger=mlflow")
    if rank():
        return DummyLogger()  # one process creates the database
    folder = Path(save_dir).absolute() / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    return MlflowLogger(folder, experiment, tracking_uri or os.environ.get(TRACKING_URI))
