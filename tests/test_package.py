"""`from segmentation import Predictor` is light, and its example works."""

import doctest
import subprocess
import sys

import segmentation
from segmentation.inference import predictor

HEAVY = (
    "arch", "hydra", "lightning", "mlflow", "optuna", "pandas", "plotly", "pytorch_lightning",
    "statsmodels", "wandb",
)  # fmt: skip


def test_predictor_is_imported_without_training_statistics_or_trackers():
    code = "from segmentation import Predictor; import sys; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    modules = result.stdout.split()
    assert "torch" in modules
    assert [name for name in HEAVY if name in modules] == []


def test_wandb_can_still_be_imported_afterwards():
    code = "from segmentation import Predictor; import wandb; wandb.Settings"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_is_imported_without_torch():
    code = "import sys, segmentation as s; assert s.__version__ and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_example_of_predictor_runs():
    tests = doctest.DocTestFinder().find(predictor.Predictor, "Predictor", globs={})
    assert sum(len(test.examples) for test in tests) > 5
    runner = doctest.DocTestRunner()
    for test in tests:
        runner.run(test)
    assert runner.summarize().failed == 0
    assert segmentation.Predictor is predictor.Predictor
