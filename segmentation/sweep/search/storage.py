"""The storage of a study: its URL without secrets, and the connection to it.

A storage's password is in no file and no message: it is read from the environment
(`CITYSEG_STORAGE`, the whole URL), which a sweep sets for the jobs of its machine.
"""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segmentation.config import user_path
from segmentation.errors import ConfigError
from segmentation.system.files import read_json_as, write_json
from segmentation.system.packages import require_extra
from segmentation.system.redaction import HIDDEN, redact, redact_parameters

if TYPE_CHECKING:
    import optuna
    from sqlalchemy.engine import URL

STUDY_FILE = "study.json"
"""In a sweep's directory: the storage, without a password, and the name of the study."""
STORAGE_VARIABLE = "CITYSEG_STORAGE"
TIMEOUT = 60.0
"""Seconds a process waits for SQLite while another one writes."""


@dataclass(frozen=True)
class StudyFile:
    """Where the study of a sweep is.

    Args:
        storage: a URL without a password; None is `study.db` in the directory, even if moved.
        study: its name.
    """

    storage: str | None
    study: str


def write_study_file(sweep: Path, storage: str | None, name: str) -> None:
    """Write name and storage of a sweep's study."""
    write_json(sweep / STUDY_FILE, asdict(StudyFile(storage, name)))


def read_study_file(sweep: Path) -> StudyFile | None:
    """Read `study.json`; None in a sweep that does not search.

    Raises:
        DataError: it is damaged.
    """
    remedy = "Repeat the sweep, which writes it again."
    return read_json_as(StudyFile, sweep / STUDY_FILE, remedy)


def storage_url(given: str | None, directory: Path) -> str:
    """Return the URL of a study's storage, with an absolute path if it is a file.

    Args:
        given: `sweep.storage`; None: `study.db` in the sweep directory.
        directory: of the sweep.

    Raises:
        ConfigError: it is not a URL.
    """
    if given is None:
        return f"sqlite:///{directory.absolute() / 'study.db'}"
    url = _parsed(given)
    if url.get_backend_name() == "sqlite" and url.database:
        url = url.set(database=str(user_path(url.database).absolute()))
    return url.render_as_string(hide_password=False)


def redacted_url(url: str) -> str:
    """Return a URL for people and files: with ``***`` in place of its password."""
    return redact_parameters(_parsed(url).render_as_string(hide_password=True))


def open_study(storage: str, name: str) -> "optuna.Study":
    """Open a study to read it or to report to it; `storage` is a URL without the password.

    Raises:
        ConfigError: the storage cannot be reached, or does not have the study.
    """
    url = storage
    if HIDDEN in storage:
        url = os.environ.get(STORAGE_VARIABLE, "")
        if not url or redacted_url(url) != storage:
            raise ConfigError(f"{STORAGE_VARIABLE} is not set to the URL {storage}.")
    connected = connect(url)
    import optuna

    sampler = optuna.samplers.RandomSampler()
    try:
        return optuna.load_study(study_name=name, storage=connected, sampler=sampler)
    except KeyError as error:
        raise ConfigError(f"{storage} has no study {name}.") from error


def connect(url: str) -> "optuna.storages.BaseStorage":
    """Connect to the storage at a URL; missing tables are created.

    Raises:
        ConfigError: it cannot be reached, or its driver or Optuna is missing.
    """
    require_extra("search", "a search")
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sqlite = _parsed(url).get_backend_name() == "sqlite"
    options = {"connect_args": {"timeout": TIMEOUT}} if sqlite else {"pool_pre_ping": True}
    try:
        return optuna.storages.get_storage(optuna.storages.RDBStorage(url, engine_kwargs=options))
    except (SQLAlchemyError, ImportError, RuntimeError, OSError) as error:
        reason = redact(str(error).strip().splitlines()[0], _passwords(url))
        # Nothing is chained: a stack trace would show the URL.
        raise ConfigError(f"the storage {redacted_url(url)} cannot be opened: {reason}") from None


def _parsed(url: str) -> "URL":
    require_extra("search", "a search")
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError(
            "sweep.storage is not a URL of a database. Type sqlite:///<file> or "
            "postgresql://<user>:<password>@<host>/<database>."
        ) from None


def _passwords(url: str) -> list[str]:
    parsed = _parsed(url)
    of_query = [value for key, value in parsed.query.items() if "pass" in key.lower()]
    return [str(password) for password in (parsed.password, *of_query) if password]
