"""What a search and the jobs it starts share: the study's storage, and which trial a job is.

A sweep writes `trial.json` into a job's directory; the job, wherever it runs, reports to the trial
that it names. A storage's password is in neither file nor message: it is read from the environment
(`CITYSEG_STORAGE`, the whole URL), which a sweep sets for the jobs of its machine.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from segmentation.errors import ConfigError
from segmentation.system.files import read_json, write_json
from segmentation.system.redaction import HIDDEN, redact, redact_parameters

if TYPE_CHECKING:
    pass
import os
from dataclasses import asdict, dataclass, field

if TYPE_CHECKING:
    import optuna
    from sqlalchemy.engine import URL

STUDY_FILE = "study.json"
"""Where a search notes its storage, without a password, and the name of its study."""


def write_study_file(sweep: Path, storage: str | None, name: str) -> None:
    """Note where the study of a sweep is.

    Args:
        sweep: its directory.
        storage: a URL without a password; None: `study.db` in the directory, wherever it is moved.
        name: of the study.
    """
    write_json(sweep / STUDY_FILE, {"storage": storage, "study": name})


TRIAL_FILE = "trial.json"

STORAGE_VARIABLE = "CITYSEG_STORAGE"

NO_OPTUNA = "a search needs Optuna, which is not installed. Type pip install 'cityseg[search]'."

WAIT = 60.0
"""Seconds a process waits for SQLite while another one writes."""


@dataclass(frozen=True)
class TrialFile:
    """Which trial a job is, and when it may be stopped.

    Args:
        storage: the study's, without a password.
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
        """Write `trial.json` into a job's directory, made if need be."""
        directory.mkdir(parents=True, exist_ok=True)
        write_json(directory / TRIAL_FILE, asdict(self))

    @classmethod
    def read(cls, directory: Path) -> "TrialFile | None":
        """Return what `trial.json` says; None in a run that is no trial."""
        values = read_json(directory / TRIAL_FILE)
        return None if values is None else cls(**values)

    def open(self) -> "optuna.Trial":
        """Connect to the storage and return the trial, which is running.

        Raises:
            ConfigError: the storage cannot be reached, or does not know the trial.
        """
        import optuna

        study = open_study(self.storage, self.study)
        study.pruner = make_pruner(self.pruner)
        try:
            trial = optuna.Trial(study, self.trial)
        except KeyError as error:
            raise ConfigError(f"{self.storage} does not know this trial any more.") from error
        if trial.storage.get_trial(self.trial).state.is_finished():
            raise ConfigError(f"the trial has ended in {self.storage} already.")
        return trial


def open_study(storage: str, name: str) -> "optuna.Study":
    """Return a study, to read it or to report to it; nothing new is drawn from it.

    Args:
        storage: its URL as it is noted, without the password.
        name: of the study.

    Raises:
        ConfigError: the storage cannot be reached, or does not know the study.
    """
    url = storage
    if HIDDEN in storage:
        url = os.environ.get(STORAGE_VARIABLE, "")
        if not url or shown(url) != storage:
            raise ConfigError(f"{STORAGE_VARIABLE} is not set to the URL {storage}.")
    connected = connect(url)
    import optuna

    try:
        return optuna.load_study(
            study_name=name, storage=connected, sampler=optuna.samplers.RandomSampler()
        )
    except KeyError as error:
        raise ConfigError(f"{storage} has no study {name}.") from error


def make_pruner(options: dict[str, Any]) -> "optuna.pruners.BasePruner":
    """Return the pruner of that `name` in `optuna.pruners`, made with the other options.

    Raises:
        ConfigError: there is none, or it does not take an option.
    """
    import optuna

    return _made("pruner", optuna.pruners, options)


def make_sampler(options: dict[str, Any], seed: int) -> "optuna.samplers.BaseSampler":
    """Return the sampler of that `name` in `optuna.samplers`, made with the other options.

    Raises:
        ConfigError: there is none, or it does not take an option, such as a seed.
    """
    import optuna

    return _made("sampler", optuna.samplers, options | {"seed": seed})


def _made(kind: str, module: Any, options: dict[str, Any]) -> Any:
    arguments = dict(options)
    name = str(arguments.pop("name"))
    known = sorted(one for one in module.__all__ if one.lower().endswith(kind))
    known.remove(f"Base{kind.capitalize()}")
    if name not in known:
        raise ConfigError(f"sweep.{kind}.name={name} is none of {', '.join(known)}.")
    try:
        return getattr(module, name)(**arguments)
    except (TypeError, ValueError, ImportError) as error:
        raise ConfigError(f"sweep.{kind}: {error}") from error


def storage_url(given: str | None, directory: Path) -> str:
    """Return the URL of a study's storage, with an absolute path where it is a file.

    Args:
        given: `sweep.storage`; None: `study.db` in the sweep directory.
        directory: of the sweep.

    Raises:
        ConfigError: it is no URL.
    """
    if given is None:
        return f"sqlite:///{directory.absolute() / 'study.db'}"
    url = _parsed(given)
    if url.get_backend_name() == "sqlite" and url.database:
        url = url.set(database=str(Path(url.database).expanduser().absolute()))
    return url.render_as_string(hide_password=False)


def shown(url: str) -> str:
    """Return a URL as people and files may see it: with ``***`` in place of its password."""
    return redact_parameters(_parsed(url).render_as_string(hide_password=True))


def connect(url: str) -> "optuna.storages.BaseStorage":
    """Return Optuna's storage at a URL; its tables are made if they are not there.

    Raises:
        ConfigError: it cannot be reached, its driver is missing, or Optuna itself is.
    """
    try:
        import optuna
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        raise ConfigError(NO_OPTUNA) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sqlite = _parsed(url).get_backend_name() == "sqlite"
    options = {"connect_args": {"timeout": WAIT}} if sqlite else {"pool_pre_ping": True}
    try:
        return optuna.storages.get_storage(optuna.storages.RDBStorage(url, engine_kwargs=options))
    except (SQLAlchemyError, ImportError, RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        # Nothing is chained: a stack trace would show the URL.
        raise ConfigError(
            f"the storage {shown(url)} cannot be opened: {redact(reason, _passwords(url))}"
        ) from None


def _parsed(url: str) -> "URL":
    try:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError
    except ImportError as error:
        raise ConfigError(NO_OPTUNA) from error
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError(
            "sweep.storage is no URL of a database. Type sqlite:///<file> or "
            "postgresql://<user>:<password>@<host>/<database>."
        ) from None


def _passwords(url: str) -> list[str]:
    parsed = _parsed(url)
    of_query = [value for key, value in parsed.query.items() if "pass" in key.lower()]
    return [str(password) for password in (parsed.password, *of_query) if password]
