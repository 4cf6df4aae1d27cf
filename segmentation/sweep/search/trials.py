"""A trial of a search: the file that tells a job which trial it is, its sampler and its pruner.

A sweep writes `trial.json` into a job's directory; the job reports to that trial, wherever it runs.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segmentation.errors import ConfigError
from segmentation.sweep.search.storage import open_study
from segmentation.system.files import read_json_as, write_json

if TYPE_CHECKING:
    import optuna

TRIAL_FILE = "trial.json"


@dataclass(frozen=True)
class TrialFile:
    """The trial that a job runs, and when it may be stopped.

    Args:
        storage: URL of the study's storage, without a password.
        study: its name.
        trial: Optuna's id of the trial in the storage.
        pruner: `name`, a class of `optuna.pruners`, and its arguments.
        after: share of the epochs before which nothing is stopped, 0 to 1.
    """

    storage: str
    study: str
    trial: int
    pruner: dict[str, Any] = field(default_factory=lambda: {"name": "MedianPruner"})
    after: float = 0.0

    def write(self, directory: Path) -> None:
        """Write `trial.json` into a job's directory, which is created if missing."""
        directory.mkdir(parents=True, exist_ok=True)
        write_json(directory / TRIAL_FILE, asdict(self))

    @classmethod
    def read(cls, directory: Path) -> "TrialFile | None":
        """Read `trial.json`; None in a run that is not a trial.

        Raises:
            DataError: it is damaged.
        """
        remedy = "Repeat the sweep, which writes it again."
        return read_json_as(cls, directory / TRIAL_FILE, remedy)

    def open(self) -> "optuna.Trial":
        """Connect to the storage and return the running trial.

        Raises:
            ConfigError: the storage cannot be reached, or does not have the trial.
        """
        import optuna

        study = open_study(self.storage, self.study)
        study.pruner = make_pruner(self.pruner)
        try:
            trial = optuna.Trial(study, self.trial)
        except KeyError as error:
            raise ConfigError(f"{self.storage} does not have this trial any more.") from error
        if trial.storage.get_trial(self.trial).state.is_finished():
            raise ConfigError(f"the trial has ended in {self.storage} already.")
        return trial


def make_pruner(options: dict[str, Any]) -> "optuna.pruners.BasePruner":
    """Build a pruner from its `name` in `optuna.pruners` and its arguments.

    Raises:
        ConfigError: an unknown name, or an invalid argument.
    """
    import optuna

    return _instance("pruner", optuna.pruners, options)


def make_sampler(options: dict[str, Any], seed: int) -> "optuna.samplers.BaseSampler":
    """Build a sampler from its `name` in `optuna.samplers`, its arguments, and a seed.

    Raises:
        ConfigError: an unknown name, or an invalid argument, such as a seed for a grid.
    """
    import optuna

    return _instance("sampler", optuna.samplers, options, seed=seed)


def check_named(kind: str, options: object) -> None:
    """Check that the options of a sampler or pruner are a mapping with its name.

    Raises:
        ConfigError: they are not.
    """
    if not isinstance(options, dict) or "name" not in options:
        raise ConfigError(f"sweep.{kind}={options} has no name. Type sweep.{kind}.name=<a class>.")


def _instance(kind: str, module: Any, options: Any, **fixed: Any) -> Any:
    check_named(kind, options)
    arguments = {**options, **fixed}
    name = str(arguments.pop("name"))
    known = sorted(word for word in module.__all__ if word.lower().endswith(kind))
    known.remove(f"Base{kind.capitalize()}")
    if name not in known:
        raise ConfigError(f"sweep.{kind}.name={name} is none of {', '.join(known)}.")
    try:
        return getattr(module, name)(**arguments)
    except (TypeError, ValueError, ImportError) as error:
        raise ConfigError(f"sweep.{kind}: {error}") from error
