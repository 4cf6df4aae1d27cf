"""What a run tells W&B, kept below the run directory too.

W&B is a convenience and must never cost a run (see `Forgiving`). A run is online when there are
credentials and the server answers, and offline otherwise; resumed, it goes on in its W&B run.
"""

import logging
import os
import re
import secrets
import shlex
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pytorch_lightning.loggers import WandbLogger as LightningWandbLogger
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from segmentation.errors import ConfigError
from segmentation.loggers.forgiving import Forgiving, short
from segmentation.loggers.wandb_offline import keep_summary, mend_parts, restate_summary
from segmentation.system.redaction import redact

if TYPE_CHECKING:
    from wandb import Run, Settings

PROBE_SECONDS = 3.0
INIT_SECONDS = 10.0
FINISH_SECONDS = 60.0

log = logging.getLogger(__name__)
_set_here: dict[str, str] = {}


class WandbLogger(Forgiving, LightningWandbLogger):
    """Lightning's W&B logger, made unable to stop a run or to hold it up.

    `WANDB_MODE`, `WANDB_RUN_GROUP` and the other variables of W&B are honoured. Only rank zero
    opens a run, at the first thing logged. Its id is kept in the folder `wandb`: a run that goes on
    there goes on in its W&B run, or leaves one more part on disk that `wandb sync` adds to it. What
    W&B was told in the last 15 s before a kill may be in none; `metrics.csv` has it.
    Points are placed by `trainer/global_step`, so that W&B takes steps that come again.

    Args:
        save_dir: the run directory; everything lands in its folder `wandb`.
        project: the W&B project.
        entity: the W&B user or team; None for the account's default.
        name: what the run is called; None for the name of the run directory.
        group: the group of runs it is shown in; None for what `WANDB_RUN_GROUP` says.
        tags: its tags.
        pictures: whether images, masks and `report.html` are logged; else numbers alone.
        offline: why it must not be online, for the log; None: it may.
    """

    service = "W&B"

    def __init__(
        self,
        save_dir: str | os.PathLike,
        project: str = "cityseg",
        entity: str | None = None,
        name: str | None = None,
        group: str | None = None,
        tags: Sequence[str] | None = None,
        pictures: bool = True,
        offline: str | None = None,
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
        if not isinstance(pictures, bool):
            raise ConfigError(f"logger.wandb.pictures={pictures}: type true or false.")
        self.pictures = pictures
        self._folder = folder
        self._stays_offline = offline

    @property
    @rank_zero_experiment
    def experiment(self) -> "Run":
        """The W&B run, opened by the first access."""
        if self._experiment is None:
            keys = ("project", "entity", "name", "group", "tags")
            options = {key: self._wandb_init[key] for key in keys}
            self._experiment = open_run(self._folder, self._stays_offline, **options)
            with self.forgiving():
                axis = "trainer/global_step"
                self._experiment.define_metric(axis)
                self._experiment.define_metric("*", step_metric=axis, step_sync=True)
                restate_summary(self._experiment, self._folder / "wandb")
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

    def reopen(self, error: Exception) -> None:
        """Open a further part of the run if the process that writes it has died."""
        if isinstance(error, ConnectionResetError | BrokenPipeError):
            import wandb

            self._experiment = None
            with suppress(ConnectionError):
                wandb.teardown()

    @rank_zero_only
    def finish(self, exit_code: int = 0) -> None:
        """Close the run; what is not uploaded in a minute stays on disk."""
        if self._experiment is None:
            return
        run = cast("Run", self._experiment)
        with self.forgiving():
            keep_summary(run, self._folder / "wandb")
        with self.forgiving():
            try:
                run.finish(exit_code)
            except TimeoutError:
                log.warning("W&B has not taken everything in time: %s", sync_command(run))


def open_run(folder: Path, offline: str | None = None, **options: Any) -> "Run":
    """Open a W&B run online if that can work, else offline, else one that keeps nothing.

    Args:
        folder: where W&B keeps what it writes, in a folder `wandb`.
        offline: why it must not be online; None: it may.
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
        mend_parts(folder / "wandb")
        options |= {"id": _wandb_id(folder / "wandb"), "resume": "allow"}
        chosen = wandb.setup(settings).settings
        if chosen.mode == "disabled":
            return wandb.init(mode="disabled", **options)
        level = logging.INFO
        try:
            reason = offline or stays_offline(chosen)
            if reason is None:
                return _open_online(chosen.base_url, options)
        except Exception as error:
            level, reason = logging.WARNING, short(error)
            wandb.teardown()  # what has failed keeps the run's id for itself
        run = wandb.init(mode="offline", **options)
        log.log(level, "W&B is offline: %s. To upload the run: %s", reason, sync_command(run))
        return run
    except Exception as error:
        log.warning("W&B keeps nothing of this run: %s", short(error))
        return wandb.init(mode="disabled", **options)


def stays_offline(settings: "Settings") -> str | None:
    """Return why the user's own choice is to be offline, or None. Nothing here asks the user."""
    import wandb

    if settings.mode in ("offline", "dryrun"):
        return "WANDB_MODE or `wandb offline` says so"
    if not wandb.login(prompt=False, verify=False):
        return f"no credentials for {redact(settings.base_url)} (`wandb login` makes them)"
    return None


def known_id(folder: Path) -> str | None:
    """Return the id that a service's folder in the run directory keeps; None in a new run."""
    with suppress(OSError, UnicodeError):
        known = (folder / "run_id").read_text(encoding="utf-8").strip()
        return known if re.fullmatch(r"[\w-]{1,64}", known) else None
    return None


def keep_id(folder: Path, run_id: str) -> None:
    """Keep the id of a run at a service, for a start that goes on with the run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run_id").write_text(run_id + "\n", encoding="utf-8")


def _wandb_id(folder: Path) -> str:
    run_id = known_id(folder)
    if run_id is None:  # an agent of a W&B sweep has chosen one
        run_id = os.environ.get("WANDB_RUN_ID") or secrets.token_hex(6)
        keep_id(folder, run_id)
    return run_id


def _open_online(url: str, options: dict[str, Any]) -> "Run":
    import wandb

    # `wandb.init` needs its whole time limit to find out that nobody is there.
    _ask(url)
    run = wandb.init(mode="online", **options)
    log.info("W&B: %s", redact(run.url or ""))
    return run


def _ask(url: str) -> None:
    if not answers(url):
        raise ConnectionError(f"{redact(url)} does not answer")


def sync_command(run: "Run") -> str:
    """Return the command that uploads what a run has left on disk."""
    part = Path(run.dir).parent
    if run.offline:  # all parts of the run; what is synced already is left out
        return f"wandb sync {shlex.quote(str(part.parent))}"
    return f"wandb sync --include-online {shlex.quote(str(part))}"


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
