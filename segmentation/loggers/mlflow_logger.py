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


class MlflowLogger(FaultTolerant, MLFlowLogger):
    """Log to a database in a folder of the run directory.

    Args:
        folder: holds the database, and the id of the run for a start that resumes it.
        experiment: MLflow's group of runs.
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
            run_id=read_run_id(folder) if database.is_file() else None,
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


def mlflow(save_dir: str | os.PathLike, experiment: str = "cityseg") -> Logger:
    """Return an MLflow logger with its own database in the folder `mlflow` of a run directory.

    Raises:
        ConfigError: the package is not installed.
    """
    require_extra("mlflow", "logger=mlflow")
    if rank():
        return DummyLogger()  # one process creates the database
    folder = Path(save_dir).absolute() / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    return MlflowLogger(folder, experiment)
