"""An evaluation goes to the W&B run of its training, and is never lost to it."""

import logging
import os
from pathlib import Path

import pytest
import wandb
import yaml
from filelock import FileLock
from logging_runs import KEY, online, records, sync
from made_scoring import made_scoring
from omegaconf import OmegaConf
from wandb_server import HISTORY, imitation_server

from segmentation.build.evaluation import check_tracking
from segmentation.commands import wandb_tracking
from segmentation.commands.wandb_tracking import track_evaluation, track_training
from segmentation.errors import ConfigError
from segmentation.loggers import wandb_logger
from segmentation.loggers.run_id import write_run_id
from segmentation.loggers.wandb_logger import WandbLogger, sync_command
from segmentation.loggers.wandb_offline import whole_bytes

pytestmark = pytest.mark.usefixtures("stranger")

REST = "data: {name: x}\nencoder: {name: x}\ntrainer: {}\n"
"""What every configuration has."""


def write_logger(directory: Path, wandb: dict[str, object]) -> None:
    settings = yaml.safe_load(REST) | {"logger": {"wandb": wandb}}
    (directory / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(settings)))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished training, as far as its W&B run goes on from it."""
    directory = tmp_path / "run"
    made_scoring(directory)
    write_logger(directory, {"_target_": "os.abort", "project": "p", "tags": ["a"]})
    (directory / "metrics.csv").write_text("step,val/miou\n9,0.5\n19,\n")
    return directory


def trained(run: Path) -> WandbLogger:
    logger = WandbLogger(run, "p")
    logger.log_metrics({"val/miou": 0.25}, 19)
    logger.finish()
    return logger


def evaluated(run: Path) -> Path:
    directory = run / "evaluation" / "val_flip"
    made_scoring(directory, "val")
    return directory


def test_an_offline_run_gets_a_further_part(
    run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = trained(run).experiment
    Path(first.dir).parent.rename(run / "wandb" / "offline-run-20200101_000000-earlier")
    # By now there are credentials: half of the run on the server would be worth nothing.
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setattr(wandb_logger, "server_answers", lambda url: pytest.fail(f"asks {url}"))
    caplog.set_level(logging.INFO, "segmentation")
    track_evaluation(run, evaluated(run), any_project=True)
    (part,) = (run / "wandb").glob(f"offline-run-*-{first.id}")
    points = [one["history"]["item"] for one in records(part) if "history" in one]
    keys = {key.split(".")[0] for point in points for key in point}
    assert {"evaluate/val_flip/classes", "evaluate/val_flip/worst_and_best"} <= keys
    assert {point["trainer/global_step"] for point in points} == {19}
    assert "W&B is offline: the training was" in caplog.text


def test_an_online_run_goes_on_and_keeps_what_it_had(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with imitation_server() as server:
        online(monkeypatch, server)
        run_id = trained(run).experiment.id
        track_evaluation(run, evaluated(run), any_project=True)
    assert list(server.runs) == [run_id]
    kept = server.runs[run_id]
    assert kept.curve("val/miou") == [(19, 0.25)]
    assert kept.own_steps() == list(range(kept.count(HISTORY)))
    values = kept.summary()
    assert values["val/miou"] == 0.25
    assert values["evaluate/val_flip/boundary_iou"] == 0.375


def test_a_run_whose_wandb_files_are_elsewhere_gets_a_further_part_there(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "elsewhere"))
    first = trained(run).experiment
    folder = tmp_path / "elsewhere" / "wandb"
    part = Path(first.dir).parent.rename(folder / f"offline-run-20200101_000000-{first.id}")
    log = part / f"run-{first.id}.wandb"
    os.truncate(log, log.stat().st_size - 1)  # as a kill leaves it
    track_evaluation(run, evaluated(run), any_project=True)
    parts = {len(records(part)) for part in folder.glob(f"offline-run-*-{first.id}")}
    assert len(parts) == 2
    assert whole_bytes(log.read_bytes()) == log.stat().st_size
    assert not list((run / "wandb").glob("offline-run-*"))


@pytest.mark.slow
def test_sync_brings_an_offline_training_and_its_evaluation_as_one_run(run: Path) -> None:
    logger = trained(run)
    wandb.teardown()
    track_evaluation(run, evaluated(run), any_project=True)
    with imitation_server() as server:
        assert "ERROR" not in sync(sync_command(logger.experiment), server)
    (kept,) = server.runs.values()
    assert kept.curve("val/miou") == [(19, 0.25)]
    assert kept.summary()["val/miou"] == 0.25
    assert kept.summary()["evaluate/val_flip/miou_high"] == 0.75


def test_a_failure_costs_a_warning(
    run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trained(run)

    def broken(*args: object, **options: object) -> None:
        raise wandb.errors.CommError("gone")

    monkeypatch.setattr(wandb.Run, "log", broken)
    track_evaluation(run, evaluated(run), any_project=True)
    assert "W&B failed, the run goes on: CommError: gone" in caplog.text


def test_another_evaluation_that_never_ends_costs_a_warning(
    run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trained(run)
    monkeypatch.setattr(wandb_tracking, "LOCK_SECONDS", 0.1)
    with FileLock(run / "wandb" / wandb_tracking.WANDB_LOCK):
        track_evaluation(run, evaluated(run), any_project=True)
    assert "W&B failed, the run goes on: Timeout" in caplog.text


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (None, "No such file"),
        ("logger: null\n", "logger=None: must be a mapping"),
        ("logger: {wandb: null}\n", "has no logger.wandb, so its project is unknown"),
        ("logger: [\n", "expected the node content"),
        ("logger: {wandb: {project: p, pictures: some}}\n", "pictures='some': expected tr"),
    ],
)  # fmt: skip
def test_a_configuration_that_does_not_say_how_costs_a_warning(
    config: str | None, said: str, run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained(run)
    if config is None:
        (run / "config.yaml").unlink()
    else:
        (run / "config.yaml").write_text(REST + config)
    track_evaluation(run, evaluated(run), any_project=True)
    assert "W&B gets no scores of this evaluation: " in caplog.text
    assert said in caplog.text


def test_pictures_that_the_training_kept_stay(run: Path) -> None:
    write_logger(run, {"project": "p", "pictures": False})
    first = trained(run).experiment
    Path(first.dir).parent.rename(run / "wandb" / "offline-run-20200101_000000-earlier")
    track_evaluation(run, evaluated(run), any_project=True)
    (part,) = (run / "wandb").glob(f"offline-run-*-{first.id}")
    assert {path.name for path in (part / "files" / "media").iterdir()} == {"table"}


def test_a_training_at_work_is_left_alone(
    run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trained(run)
    monkeypatch.setattr(wandb_tracking, "log_evaluation", lambda *_: pytest.fail("logs"))
    with FileLock(run / "run.lock"):
        track_evaluation(run, evaluated(run), any_project=True)
    assert "the training is still running" in caplog.text


@pytest.mark.parametrize("left", ["nothing", "an id alone", "no run directory"])
def test_without_a_wandb_run_nothing_happens(
    left: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb_tracking, "WandbLogger", lambda *_, **__: pytest.fail("opens a run"))
    if left == "an id alone":  # as WANDB_MODE=disabled leaves it
        write_run_id(run / "wandb", "abc")
    track_evaluation(None if left == "no run directory" else run, evaluated(run), any_project=True)


@pytest.mark.parametrize(("split", "prefix"), [("test", "test"), ("val", "best_val")])
def test_the_end_of_a_training_is_no_point_of_its_curves(
    split: str, prefix: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple] = []
    monkeypatch.setattr(wandb_tracking, "log_evaluation", lambda *given: said.append(given))
    logger = WandbLogger(run)
    track_training([logger, object()], run, split)  # type: ignore[list-item]
    assert said == [(logger, run, prefix)]


def test_the_option() -> None:
    assert check_tracking("auto")
    assert check_tracking(True)
    assert not check_tracking(False)
    for wrong in ("yes", None, 2):
        with pytest.raises(ConfigError, match=r"wandb=.*: use auto .* or false"):
            check_tracking(wrong)


@pytest.mark.parametrize(
    "options",
    [
        {"project": "theirs"},
        {"project": "cityseg", "entity": "theirs"},
        {"entity": "theirs"},
        {"project": "mine", "entity": "theirs"},
    ],
)
def test_a_project_that_only_the_run_names_gets_nothing(
    options: dict[str, object],
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    trained(run)
    write_logger(run, options)
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.setattr(wandb_tracking, "WandbLogger", lambda *_, **__: pytest.fail("opens a run"))
    track_evaluation(run, evaluated(run))
    assert "which who made the run has chosen. To send them there type wandb=true" in caplog.text


@pytest.mark.parametrize(
    "options", [{"project": "cityseg"}, {"project": "mine", "entity": "us"}, {"entity": None}]
)
def test_a_project_of_ones_own_gets_the_scores(
    options: dict[str, object], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(run)
    write_logger(run, options)
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.setenv("WANDB_ENTITY", "us")
    logged: list[object] = []
    monkeypatch.setattr(wandb_tracking, "log_evaluation", lambda *words: logged.append(words))
    track_evaluation(run, evaluated(run))
    assert len(logged) == 1
