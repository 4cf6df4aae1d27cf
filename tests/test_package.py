"""`from segmentation import Predictor` is light, and its example works."""

import doctest
import subprocess
import sys

import segmentation
from segmentation.inference import predictor

HEAVY = (
    "albumentations", "arch", "hydra", "lightning", "mlflow", "omegaconf", "onnxruntime",
    "openvino", "optuna", "pandas", "plotly", "pytorch_lightning", "statsmodels", "torchmetrics",
    "wandb",
)  # fmt: skip


IMPORTS = """
import sys, segmentation
assert segmentation.__version__
torch_at_first = "torch" in sys.modules
from segmentation import Predictor
print(torch_at_first, *sys.modules)
import wandb
wandb.Settings
"""


def test_predictor_is_imported_without_training_statistics_or_trackers():
    result = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr  # also if W&B is imported afterwards
    torch_at_first, *modules = result.stdout.split()
    assert torch_at_first == "False"
    assert "torch" in modules
    assert [name for name in HEAVY if name in modules] == []


def test_the_example_of_predictor_runs():
    tests = doctest.DocTestFinder().find(predictor.Predictor, "Predictor", globs={})
    assert sum(len(test.examples) for test in tests) > 5
    runner = doctest.DocTestRunner()
    for test in tests:
        runner.run(test)
    assert runner.summarize().failed == 0
    assert segmentation.Predictor is predictor.Predictor
