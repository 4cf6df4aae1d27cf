"""W&B logger that keeps all of its files in the run directory.

W&B is a convenience and must never cost a run (see `FaultTolerant`). A run is online if there are
credentials and the server answers, else offline; a resumed run continues its W&B run.
"""

import logging
import os
import secrets
import shlex
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import requests
from pytorch_lightning.loggers import WandbLogger as LightningWandbLogger
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from segmentation.errors import ConfigError, check_flag
from segmentation.loggers.fault_tolerant import FaultTolerant, summarize_error
from segmentation.loggers.run_id import read_run_id, write_run_id
from segmentation.loggers.wandb_offline import repair_logs, restore_summary, save_summary
from segmentation.system.redaction import redact

if TYPE_CHECKING:
    from wandb import Run, Settings

PROBE_SECONDS = 3.0
INIT_SECONDS = 10.0
FINISH_SECONDS = 60.0

log = logging.getLogger(__name__)
_set_here: dict[str, str] = {}


class WandbLogger(FaultTolerant, LightningWandbLogger):
    """Lightning's W&B logger, except that it can neither stop nor delay a run.

    `WANDB_MODE`, `WANDB_RUN_GROUP` and W&B's other variables are respected. Only rank zero opens a
    run, when the first value is logged. Its id is kept in the folder `wandb`: a resumed run
    continues its W&B run, or leaves another offline part that `wandb sync` adds to it. Values
    logged in the last 15 s before a kill may be missing from W&B; `metrics.csv` has them. The x
    axis is `trainer/global_step`, so that W&B accepts repeated steps.

    Args:
        save_dir: the run directory; all files go into its folder `wandb`.
        project: the W&B project.
        entity: the W&B user or team; None for the account's default.
        name: the run's name in W&B; None for `WANDB_NAME`, else the name of the run directory.
        group: the run's group in W&B; None for `WANDB_RUN_GROUP`.
        tags: the run's tags.
        pictures: whether images, masks and `report.html` are logged, or only numbers.
        offline: reason why the run must stay offline, for the log; None if it may be online.
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
            name=name or os.environ.get("WANDB_NAME") or folder.name,
            group=group,
            tags=list(tags) if tags else None,
        )
        check_flag("logger.wandb.pictures", pictures)
        _check_names(project=project, run_name=name, run_tags=tags, entity=entity, run_group=group)
        self.pictures = pictures
        self._folder = folder
        self._offline_reason = offline

    @property
    @rank_zero_experiment
    def experiment(self) -> "Run":
        """The W&B run, opened by the first access."""
        if self._experiment is None:
            keys = ("project", "entity", "name", "group", "tags")
            options = {key: self._wandb_init[key] for key in keys}
            self._experiment = open_run(self._folder, self._offline_reason, **options)
            with self.errors_as_warnings():
                axis = "trainer/global_step"
                self._experiment.define_metric(axis)
                self._experiment.define_metric("*", step_metric=axis, step_sync=True)
                restore_summary(self._experiment, self._folder / "wandb")
        return cast("Run", self._experiment)

    @property
    def online(self) -> bool:
        """Whether values are sent to a server."""
        return not (self.experiment.offline or self.experiment.disabled)

    def check_server(self) -> None:
        """Check that the server of an online run still answers.

        Raises:
            ConnectionError: it does not; waiting for W&B would only delay the run.
        """
        if self.online:
            _require_answer(self.experiment.settings.base_url)

    def reopen(self, error: Exception) -> None:
        """Open another part of the run if W&B's own process has died."""
        if isinstance(error, ConnectionResetError | BrokenPipeError):
            import wandb

            self._experiment = None
            with suppress(ConnectionError):
                wandb.teardown()

    @rank_zero_only
    def finish(self, exit_code: int = 0) -> None:
        """Close the run; data not uploaded within a minute stays on disk."""
        if self._experiment is None:
            return
        run = cast("Run", self._experiment)
        with self.errors_as_warnings():
            save_summary(run, self._folder / "wandb")
        with self.errors_as_warnings():
            try:
                run.finish(exit_code)
            except TimeoutError:
                log.warning(
                    "W&B did not upload everything in time; to upload the rest: %s",
                    sync_command(run),
                )


def _check_names(**names: Any) -> None:
    """Check what W&B would refuse when the run is opened, which is in the middle of the start.

    Raises:
        ConfigError: an invalid name, also in `WANDB_RUN_ID`.
    """
    import wandb
    from pydantic import ValidationError

    names["run_id"] = os.environ.get("WANDB_RUN_ID")
    for key, value in names.items():
        option = "WANDB_RUN_ID" if key == "run_id" else f"logger.wandb.{key.removeprefix('run_')}"
        try:
            if value is not None:
                wandb.Settings(**{key: value})
        except (wandb.errors.UsageError, ValidationError) as error:
            *_, reason = [line for line in str(error).splitlines() if "For further" not in line]
            reason = reason.strip().removeprefix("Value error, ").partition(" [type=")[0]
            raise ConfigError(f"{option}={value!r}: {reason}.") from error


def open_run(folder: Path, offline: str | None = None, **options: Any) -> "Run":
    """Open a W&B run: online if possible, else offline, else a disabled one.

    Args:
        folder: the run directory; W&B writes into its folder `wandb`.
        offline: reason why the run must stay offline; None if it may be online.
        options: project, entity, name, group and tags, for `wandb.init`.

    Returns:
        The run. If it is not online, the log has the reason and the command that uploads it.
    """
    import wandb

    redirect_files(folder / "wandb")
    defaults: dict[str, Any] = {
        "silent": True,  # its output would break the progress bar, and repeat our log
        "console": "off",  # capturing the console would keep every frame of the progress bar
        "init_timeout": INIT_SECONDS,
        "finish_timeout": FINISH_SECONDS,
        "finish_timeout_raises": True,
        "git_root": str(Path(__file__).resolve().parents[2]),  # the commit of this code
        "resume": "allow",
    }
    given = {key for key in defaults if f"WANDB_{key.upper()}" in os.environ}
    settings = wandb.Settings(**{key: defaults[key] for key in defaults.keys() - given})
    options |= {"settings": settings, "reinit": "create_new"}
    options["dir"] = os.environ.get("WANDB_DIR") or folder
    try:
        repair_logs(folder)
        options["id"] = _wandb_id(folder / "wandb")
        chosen = wandb.setup(settings).settings
        if chosen.mode == "disabled":
            return wandb.init(mode="disabled", **options)
        level = logging.INFO
        try:
            reason = offline or offline_reason(chosen)
            if reason is None:
                return _open_online(chosen.base_url, options)
        except Exception as error:
            level, reason = logging.WARNING, summarize_error(error)
            wandb.teardown()  # the failed attempt holds on to the run's id
        run = wandb.init(mode="offline", **options)
        log.log(level, "W&B is offline: %s. To upload the run: %s", reason, sync_command(run))
        return run
    except Exception as error:
        log.warning("W&B is disabled for this run: %s", summarize_error(error))
        return wandb.init(mode="disabled", **options)


def offline_reason(settings: "Settings") -> str | None:
    """Return why the user's settings make the run offline, or None; never prompts."""
    import wandb

    if settings.mode in ("offline", "dryrun"):
        return "set by WANDB_MODE or `wandb offline`"
    if not wandb.login(prompt=False, verify=False):
        return f"no credentials for {redact(settings.base_url)} (`wandb login` makes them)"
    return None


def _wandb_id(folder: Path) -> str:
    kept = read_run_id(folder)
    # The agent of a W&B sweep sets one.
    run_id = os.environ.get("WANDB_RUN_ID") or kept or secrets.token_hex(6)
    if run_id != kept:
        write_run_id(folder, run_id)
    return run_id


def _open_online(url: str, options: dict[str, Any]) -> "Run":
    import wandb

    # `wandb.init` would wait for its whole time limit if the server is unreachable.
    _require_answer(url)
    run = wandb.init(mode="online", **options)
    log.info("W&B: %s", redact(run.url or ""))
    return run


def _require_answer(url: str) -> None:
    if not server_answers(url):
        raise ConnectionError(f"{redact(url)} does not answer")


def sync_command(run: "Run") -> str:
    """Return the command that uploads the data a run has left on disk."""
    part = Path(run.dir).parent
    if run.offline and os.environ.get("WANDB_DIR"):  # which may hold other runs
        parts = sorted(part.parent.glob(f"offline-run-*-{run.id}"))
        return shlex.join(["wandb", "sync", *map(str, parts)])
    if run.offline:  # all parts of the run; `wandb sync` skips those already uploaded
        return f"wandb sync {shlex.quote(str(part.parent))}"
    return f"wandb sync --include-online {shlex.quote(str(part))}"


def redirect_files(folder: Path) -> None:
    """Redirect W&B's files from the home directory to `folder`, and turn its telemetry off.

    Variables set by the user stay; those set for an earlier run of this process are replaced,
    because tables wait in that folder for `wandb sync`.
    """
    files = ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_ARTIFACT_DIR")
    # With telemetry even an offline run contacts the server, and waits for it at exit.
    wanted = {**dict.fromkeys(files, str(folder / "cache")), "WANDB_ERROR_REPORTING": "false"}
    for variable, value in wanted.items():
        if os.environ.get(variable) in (None, _set_here.get(variable)):
            os.environ[variable] = _set_here[variable] = value


def server_answers(url: str, seconds: float = PROBE_SECONDS) -> bool:
    """Return whether an HTTP server answers in time, with any status; proxies are respected."""
    answered = threading.Event()

    def ask() -> None:
        with suppress(requests.RequestException):
            # An unknown certificate is still an answer, because W&B has its own certificates.
            with suppress(requests.exceptions.SSLError):
                requests.head(url, timeout=seconds)
            answered.set()

    # A DNS lookup has no time limit of its own, hence the thread.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return answered.is_set()
