"""A value of the wrong kind is refused with the option's name, in every command."""

import pytest
from commands import run
from fakes import fake_camvid


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return fake_camvid(tmp_path_factory.mktemp("camvid"), {"train": 4, "val": 2})


STOPPING = "callbacks=early_stopping"
REFUSED = [
    (["train.py", "~seed"], "~seed: train needs this option. Set it, as in seed=<value>."),
    (["train.py", "loss.terms=null"], "loss.terms=null: expected a mapping, such as "),
    (["train.py", "hydra.run.dir="], "hydra.run.dir= is empty: type a directory."),
    (["train.py", "hydra.job.chdir=maybe"], "hydra.job.chdir: Value 'maybe' is not a valid bool"),
    (["train.py", "++signals.foo=[SIGTERM]"], "there is no option signals.foo: use save, requeue."),
    (["train.py", "trainer=null"], "a group of options takes the name of one"),
    (["train.py", "-m", "seed=range(0,0)"], "seed=range(0,0) has no values"),
    (["train.py", "-m", "optimizer.lr=range(0,0)"], "the sweep has no jobs"),
    (["train.py", "data.name=${oc.env:NOT_SET}"], "Environment variable 'NOT_SET' not found"),
    (["train.py", "-m", "seed=0,${x}"], "seed: Interpolation key 'x' not found."),
    (["train.py", "signals.save=5"], "signals.save=5: pass a list, such as signals.save=[SIGTERM]"),
    (["train.py", "deterministic=maybe"], "deterministic='maybe': expected true or false."),
    (["train.py", "data.workers=100000"], "data.workers is 100000, which is more than 1024."),
    (["train.py", "optimizer.betas=[0.9]"], "optimizer: list index out of range"),
    (["train.py", "trainer.accelerator=cpuu"], "trainer.accelerator='cpuu': use auto, cpu, gpu"),
    (["train.py", "resume=5"], "resume=5: there is no run in "),
    (["train.py", "data.root=5"], "no folder 5."),
    (["train.py", "data.root="], "a path is empty"),
    (["evaluate.py", "run=2024"], "2024: no such file or directory."),
    (["predict.py", "input=a", "output="], "a path is empty"),
    (["predict.py", "input=a", "output=b", "overwrite=abc"], "overwrite='abc': expected true or"),
    (["compare.py", "runs=5"], "no run 5."),
    (["compare.py", "runs=[2024,2025]"], "no run 2024."),
    (["compare.py", "runs=[a,b]", "speed=1"], "speed=1: expected true or false."),
    (["publish.py", "run=a", "output=b", "half=5"], "half=5: expected true or false."),
    (["preview.py", "draws=100000"], "draws=100000: expected at most 100."),
    (["preview.py", "seed=abc"], "seed='abc': expected a whole number"),
]
MORE = [
    (["train.py", "~optimizer.lr"], "~optimizer.lr: train needs this option."),
    (["train.py", "signals=5"], "signals=5: expected a mapping, such as "),
    (["train.py", "task=null"], "task=null: expected a mapping, such as "),
    (["train.py", "signals.save=[[a]]"], "signals.save: no signal is called ['a']"),
    (["train.py", "data.batch_size=100000"], "data.batch_size is 100000, which is more"),
    (["train.py", "trainer.strategy=fsdpp"], "trainer.strategy='fsdpp': unknown."),
    (
        ["train.py", "callbacks=early_stopping", "callbacks.early_stopping.patience=-2"],
        "patience=-2",
    ),
    (["train.py", "rerun=true"], "rerun=true: there is no run in "),
    (["train.py", "data.root=[a]"], "expected a path, not ['a']"),
    (["train.py", "model.weights=2024"], "2024: no such file or directory."),
    (["evaluate.py", "run=null"], "expected a path, not None"),
    (["predict.py", "input=a", "output=b", "overlay=5"], "overlay=5: expected true"),
    (["compare.py", "sweep=5"], "sweep=5: there is no such directory."),
    (["check.py", "task=5"], "task=5: expected a mapping, such as "),
]
QUICK = [
    "data=camvid", "data.crop=null", "encoder=timm", "encoder.name=test_resnet",
    "encoder.weights=none", "decoder.channels=[16,16,8,8,8]", "augment=none", "data.batch_size=2",
    "data.workers=0", "trainer=cpu", "logger=none",
]  # fmt: skip


CASES = [
    pytest.param(words, message, id=" ".join(words), marks=marks)
    for cases, marks in ((REFUSED, ()), (MORE, pytest.mark.slow))
    for words, message in cases
]


@pytest.mark.parametrize(("words", "message"), CASES)
def test_what_is_refused(words, message, root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script, *typed = words
    defaults = {"train.py": QUICK, "check.py": QUICK[:6], "preview.py": QUICK[:2]}.get(script, [])
    where = [f"data.root={root}"] if defaults else []
    result = run(script, *defaults, *where, *typed, HYDRA_FULL_ERROR="0")
    assert message in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert result.returncode == 1
    assert not list(tmp_path.glob("runs/*/config.yaml"))
