"""Questions and invalid words are answered before anything heavy is imported."""

import json
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest
from conftest import ROOT

from segmentation.__main__ import COMMANDS

HEAVY = {
    "albumentations", "arch", "lightning_fabric", "mlflow", "optuna", "pandas", "plotly",
    "pytorch_lightning", "statsmodels", "tensorboard", "timm", "torch", "torchmetrics",
    "torchvision", "wandb",
}  # fmt: skip
FOR_HELP = {
    "antlr4", "attr", "filelock", "hydra", "hydra_plugins", "markdown_it", "mdurl", "omegaconf",
    "packaging", "pygments", "rich", "segmentation", "typing_extensions", "yaml", "_yaml",
    "_pytest", "iniconfig", "pluggy", "py", "pytest",  # which the tests' helper imports
}  # fmt: skip
"""All that `--help` imports besides Python's own modules."""

MODEL = "run=camvid_efficientnet_lite0"
QUESTIONS = [
    *([name, "--help"] for name in COMMANDS if name != "fetch"),
    ["train", "--cfg", "job"],
    ["train", "trainer.max_steps=5", "callbacks=ema", "callbacks.ema.decay=0.9", "--cfg", "job"],
    ["evaluate", "--cfg", "job"],
]
MISTAKES = {
    "train encoder=resnet35": "encoder has no option 'resnet35'",
    "train optimzer.lr=1": "no option 'optimzer.lr'. Did you mean 'optimizer.lr'",
    "train optimizer.lrr=1": "no option 'optimizer.lrr'. Did you mean 'optimizer.lr'",
    "train trainer.max_step=5": "Did you mean 'trainer.max_steps'",
    "train optimizer.momentum=0.9": "is an option of optimizer=sgd",
    "train optimizer.lr=abc": "optimizer.lr is 'abc': it must be a number, above 0.",
    "train +optimizer.foo=1": "AdamW has no option optimizer.foo",
    "train +schedule.wormup=1": "one_cycle has no option schedule.wormup. Did you mean 'warmup'",
    "train optimizer.lr_for_batch=x": "optimizer.lr_for_batch='x'",
    "train encoder.freeze_epochs=-1": "encoder.freeze_epochs=-1",
    "train seed=-1": "seed=-1",
    "train task.segmentation=false": "leaves nothing to learn",
    "train data.batch_size=0": "data.batch_size=0: expected a whole number of 1",
    "train data.size=64": "data.size=64: expected [height, width]",
    "train data.cache=ram": "invalid data.cache='ram'",
    "train data=camvid data.root=/nowhere": "no folder /nowhere",
    "train data.pairs=/nowhere.csv": "/nowhere.csv does not exist",
    "train data.classes=camvit": "Did you mean 'camvid'",
    "train trainer.precision=xyz": "trainer.precision=xyz is none of",
    "train trainer.accelerator=gpuu": "trainer.accelerator='gpuu'",
    "train trainer.max_epochs=x": "trainer.max_epochs='x'",
    "train trainer.gradient_clip_val=x": "trainer.gradient_clip_val='x': expected",
    "train resume=/nowhere": "resume=/nowhere: there is no run",
    "train model.weights=/nowhere": "/nowhere: no such file or directory",
    "train encoder.weights=/nowhere": "encoder.weights=/nowhere is not a file",
    "train -m seed=1,2 optimizer.lr=abc": "because of the job seed=1: optimizer.lr is 'abc'",
    "train -m encoder.weights=none,/nowhere": "the job encoder.weights=/nowhere: encoder.weights=",
    "evaluate run=/nowhere": "/nowhere: no such file or directory",
    f"evaluate {MODEL} data=camvid data.root=/nowhere": "no folder /nowhere",
    f"evaluate {MODEL} trainer.precision=xyz": "trainer.precision=xyz is none of",
    f"evaluate {MODEL} scales=[9]": "scales[0]=9",
    f"evaluate {MODEL} slices=[bright]": "slices: there is no 'bright'",
    f"evaluate {MODEL} targets=/nowhere": "/nowhere does not exist",
    f"evaluate {MODEL} class_map=/nowhere": "the class map /nowhere can't be read",
    f"evaluate {MODEL} splt=val": "no option 'splt'. Did you mean 'split'",
    "compare runs=[/nowhere,/nowhere2]": "/nowhere",
    "compare runs=/nowhere/*": "no run matches /nowhere/*",
    "compare sweep=/nowhere": "there is no such directory",
    "compare device=gpuu runs=[/nowhere]": "device='gpuu'",
    "predict input=/nowhere output=out": "no file or folder /nowhere",
    "predict model=/nowhere input=. output=out": "/nowhere: no such file or directory",
    "predict precision=xyz input=. output=out": "precision='xyz': use auto, 32-true",
    "predict device=gpuu input=. output=out": "device='gpuu'",
    "publish run=/nowhere output=out": "there is no finished run there",
    "check data=folder data.root=/nowhere": "no folder /nowhere",
    "check data.batch_size=0": "data.batch_size=0",
    "preview data=folder data.root=/nowhere": "no folder /nowhere",
    "preview output=x.foo": "give the picture a suffix",
}
"""Words that can be refused as they are, or by a look at the file system, and what is said."""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Run all command lines in one process, which has nothing imported at first."""
    lines = [*QUESTIONS, *(mistake.split() for mistake in MISTAKES)]
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "helpers" / "light_commands.py")],
        input=json.dumps(lines),
        cwd=tmp_path_factory.mktemp("here"),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    return {" ".join(line): answer for line, answer in zip(lines, answers, strict=True)}


def test_help_imports_what_it_needs_alone(answers):
    imported = set(answers["train --help"]["packages"])
    assert {"hydra", "segmentation"} < imported
    installed = packages_distributions().keys() - sys.stdlib_module_names
    assert imported & installed <= FOR_HELP


@pytest.mark.parametrize("words", [" ".join(words) for words in QUESTIONS])
def test_a_question_is_answered_without_torch(words, answers):
    answer = answers[words]
    assert answer["code"] == 0, answer["output"]
    assert answer["output"].strip()
    assert HEAVY & set(answer["packages"]) == set()


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_told_without_torch(words, answers):
    answer = answers[words]
    assert answer["code"] == 1
    assert MISTAKES[words] in answer["output"]
    assert "Traceback" not in answer["output"]
    assert HEAVY & set(answer["packages"]) == set()
