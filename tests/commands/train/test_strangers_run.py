"""A run directory that a stranger wrote is data: nothing in it is executed, resolved or sent."""

import pytest
import yaml
from commands import run


@pytest.fixture(scope="module")
def config():
    """The configuration of a run, as train.py writes it."""
    composed = run("train.py", "--cfg", "job", "--resolve", "data=folder", "data.root=/nowhere")
    values = yaml.safe_load(composed.stdout)
    return {key: value for key, value in values.items() if key not in ("launcher", "sweep")}


CASES = {
    "optimizer": ({"_target_": "os.makedirs", "name": "EXECUTED"}, "not a class of this project"),
    "task": (
        {"targets": {"file": "${oc.env:SECRET}"}},
        "task.targets.file holds the interpolation",
    ),
    "logger": (
        {"wandb": {
            "_target_": "segmentation.loggers.wandb_logger.WandbLogger", "entity": "evil",
        }},
        "its W&B runs go to 'evil'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("option", "section"),
    [("rerun", "optimizer"), ("rerun", "task"), ("resume", "logger")],
)
def test_it_is_refused(tmp_path, monkeypatch, config, option, section):
    monkeypatch.chdir(tmp_path)
    value, reason = CASES[section]
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/config.yaml").write_text(yaml.safe_dump(config | {section: value}))
    where = [f"hydra.run.dir={tmp_path / 'new'}"] if option == "rerun" else []
    result = run("train.py", f"{option}=theirs", *where, SECRET="hunter2")
    assert result.returncode == 1
    assert reason in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "EXECUTED").exists()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"hunter2" in path.read_bytes() for path in written)
    assert "hunter2" not in result.stderr + result.stdout


def test_an_account_that_is_typed(tmp_path, monkeypatch, config):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    logger = {"logger": CASES["logger"][0]}
    (tmp_path / "mine/config.yaml").write_text(yaml.safe_dump(config | logger))
    result = run("train.py", "resume=mine", "logger.wandb.entity=evil", WANDB_MODE="disabled")
    assert "W&B runs go to" not in result.stderr
    assert "/nowhere" in result.stderr  # the data, which come next
