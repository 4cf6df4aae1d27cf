"""docs/wandb.md names what is logged: all of it, and nothing else."""

import re
from pathlib import Path

import pytest
import wandb
from commands import succeed
from conftest import ROOT
from fakes import CLASSES, fake_camvid, write_targets
from logging_runs import records

DOC = (ROOT / "docs" / "wandb.md").read_text("utf-8")
KEY = re.compile(r"`((?:train|val|iou|lr-\w+|trainer|best|test|evaluate)/[\w<>./-]*\w>?)`")
TABLES = ("confusion", "confusion_truth", "confusion_prediction", "iou", "reliability")
"""W&B keeps these charts as tables of the same name."""


def spelt(logged: str) -> str:
    """Return a key as the page has it."""
    name = re.sub(r"_(brightness)$", "_<column>", logged.split(".")[0])
    return re.sub(rf"^iou/({'|'.join(CLASSES.names)})$", "iou/<class>", name)


def named() -> set[str]:
    keys = set(KEY.findall(DOC))
    return {f"{one}_table" if one.split("/")[-1] in TABLES else one for one in keys}


def test_the_page_names_keys() -> None:
    assert len(named()) > 40


@pytest.mark.slow
def test_every_key_is_logged_and_every_logged_key_is_there(
    tmp_path: Path, stranger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    root = write_targets(fake_camvid(tmp_path / "data", {"train": 6, "val": 5, "test": 5}))
    run = tmp_path / "run"
    succeed(
        "train.py", "data=camvid", f"data.root={root}", "encoder=timm", "encoder.name=test_resnet",
        "encoder.weights=none", "decoder.channels=[8,8,8,8,8]", "augment=none", "trainer=cpu",
        "data.batch_size=2", "data.workers=0", "trainer.max_epochs=2",
        "trainer.log_every_n_steps=1", "task.targets.category=scene",
        "task.targets.values=[brightness]", f"hydra.run.dir={run}",
    )  # fmt: skip
    wandb.teardown()
    succeed("evaluate.py", f"run={run}", "split=val")
    wandb.teardown()
    logged: set[str] = set()
    for part in (run / "wandb").glob("offline-run-*"):
        for record in records(part):
            values = record.get("history", {}).get("item", {})
            values |= record.get("summary", {}).get("update", {})
            logged |= {spelt(key) for key in values if key[0] != "_" and key != "epoch"}
    assert named() - logged == set()
    # The page says once that evaluations have the keys of test, that the best scores have those of
    # val, and that optimizers have several groups.
    rest = {one.replace("evaluate/val/", "test/") for one in logged if not one.startswith("lr-")}
    assert {re.sub("^best/(val|test)_", "val/", one) for one in rest} - named() == set()
