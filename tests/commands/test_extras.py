"""Without the extras a training goes through, and a command that needs one says what to type."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import fake_camvid

from segmentation.system.packages import EXTRAS

OPTIONAL = sorted({module for modules in EXTRAS.values() for module in modules})
ADVICE = "which are not installed. Type pip install 'cityseg[report]'."


def cityseg(*words: str) -> subprocess.CompletedProcess:
    """Run a command in a process that cannot import what the extras bring."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL!r})); "
        f"sys.argv = ['cityseg', *{words!r}]; from segmentation.__main__ import main; main()"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.slow
def test_a_training_says_at_its_start_what_it_goes_without(tmp_path: Path) -> None:
    data, run = fake_camvid(tmp_path, {"train": 2, "val": 1, "test": 1}), tmp_path / "run"
    done = cityseg(
        "train", "data=camvid", f"data.root={data}", "encoder=timm", "encoder.name=test_resnet",
        "encoder.weights=none", "decoder.channels=[4,4,4,4,4]", "trainer=cpu", "data.batch_size=1",
        "trainer.max_epochs=1", "data.workers=0", f"hydra.run.dir={run}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    without_report, without_wandb = json.loads((run / "metrics.json").read_text())["warnings"]
    assert without_report.startswith("the run gets no report.html and no intervals: that needs ")
    assert without_report.endswith(ADVICE)
    assert without_wandb == (
        "the run is not logged to W&B: that needs wandb, which is not installed. "
        "Type pip install 'cityseg[wandb]'."
    )
    places = [done.stdout.index(text) for text in (without_report, without_wandb, "optimizer")]
    assert places == sorted(places)
    assert not (run / "report.html").exists()
    assert {"per_image.csv", "confusion.csv", "model"} <= {path.name for path in run.iterdir()}


@pytest.mark.parametrize("words", [("evaluate", "run=r"), ("compare", "runs=[a,b]")])
def test_a_command_that_needs_an_extra_says_so_before_anything_else(words) -> None:
    done = cityseg(*words)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: cityseg {words[0]} needs arch, pandas, plotly, statsmodels, tabulate, {ADVICE}\n"
    )


def test_a_search_says_what_it_needs(tmp_path: Path) -> None:
    done = cityseg("train", "-m", "sweep=search", f"hydra.sweep.dir={tmp_path}")
    assert "error: sweep=search needs optuna, plotly, which are not installed." in done.stderr
    assert "Traceback" not in done.stderr
