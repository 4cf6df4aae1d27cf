"""The commands as people type them."""

import re

import hydra
import pytest
import torch
from commands import run, run_child
from fakes import fake_camvid

from segmentation.config import CONF


@pytest.mark.parametrize("script", ["train.py", "predict.py"])
def test_a_shell_completes_options(script):
    line = {"COMP_LINE": f"python {script} ", "COMP_POINT": "100"}
    result = run(script, "-sc", "query=bash", **line)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


@pytest.mark.parametrize("script", ["predict", "evaluate", "compare", "publish"])
def test_help_tells_the_commands_own_options_alone(script):
    result = run(f"{script}.py", "--help")
    assert result.returncode == 0
    usage, *lines = result.stdout.splitlines()
    assert usage.startswith(f"python {script}.py ")
    told = {line.partition(":")[0] for line in lines if re.match(r"\w+: ", line)}
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        assert told == {str(key) for key in hydra.compose(script)} - {"data", "trainer"}
    assert "encoder=" not in result.stdout
    assert ("Also data=, trainer= with the same options as train" in result.stdout) == (
        script == "evaluate"
    )


@pytest.fixture(scope="module", autouse=True)
def fake_streets(tmp_path_factory):
    """Let `data=camvid data.root=FAKE` mean fake data."""
    root = fake_camvid(tmp_path_factory.mktemp("camvid"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKE", str(root))
        yield


STREETS = ["data=camvid", "data.root=${oc.env:FAKE}", "encoder.weights=none"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["encoder=resnet43"], "encoder has no option 'resnet43'. Did you mean 'resnet34'"),
        (["optimzer=adam"], "no option 'optimzer'. Did you mean 'optimizer'"),
        (["data.bach_size=2"], "no option 'data.bach_size'. Did you mean 'data.batch_size'"),
        (["batch_size=2"], "no option 'batch_size'. Did you mean 'data.batch_size'"),
        (["optimizer.lr=[1"], "cannot read 'optimizer.lr=[1'"),
        (
            ["runs/one"],
            "'runs/one': every word is key=value. `python train.py --cfg job` lists all keys.",
        ),
        (
            ["data=camvid"],
            "data.root is not set. Type data.root=<value>. data.root is the folder of CamVid: "
            "`python fetch.py camvid` downloads it.",
        ),
        (
            ["encoder=timm"],
            "encoder.name is not set. Type encoder.name=<value>. encoder.name is a model of timm.",
        ),
        (["data=camvid", "data.root=nowhere"], "no folder nowhere. Pass the data set's"),
        (["+loss.terms.cross_entropy.gamma=1", *STREETS], "unexpected keyword argument 'gamma'"),
        (["optimizer.lr=-1", *STREETS], "optimizer.lr is -1: it must be a number"),
        (["trainer.precision=17", *STREETS], "trainer.precision=17 is none of Lightning's"),
        (["data.size=128", *STREETS], "data.size=128: expected [height, width]"),
        (["data.batch_size=abc", *STREETS], "data.batch_size='abc': expected a whole number of 1"),
        (["data.size=[32,32]", "data.crop=[64,64]", *STREETS], "is larger than data.size=[32, 32]"),
        (
            ["data.size=[32,32]", "data.crop=null", "data.batch_size=1", *STREETS],
            "a batch of one image of 32x32 leaves the encoder's batch norm one value",
        ),
        (["data.crop=[900,900]", *STREETS], "of the crops is padding, which is void. Use data."),
        (["+trainer.limit_train_batches=0.01", *STREETS], "0.01 leaves no batch of train"),
        (["+trainer.val_check_interval=900", *STREETS], "is more than the"),
        (["seed=-1", *STREETS], "seed=-1: expected a whole number of 0"),
        (["+optimizer.foo=1", *STREETS], "AdamW has no option optimizer.foo"),
        (["trainer.log_every_n_steps=0", *STREETS], "trainer.log_every_n_steps=0"),
        (["trainer=gpu"], "this machine has no CUDA GPU"),
        (["encoder=timm", "encoder.name=resnet43", *STREETS], "Did you mean"),
        (["augment.transforms=[{Flip: {}}]", *STREETS], "albumentations has no 'Flip'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_users_mistake_gets_a_message_and_no_trace(arguments, message, tmp_path):
    if arguments == ["trainer=gpu"] and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    result = run(
        "train.py",
        *arguments,
        f"hydra.run.dir={tmp_path}/run",
        f"hydra.sweep.dir={tmp_path}/sweep",
        "logger=none",
        HYDRA_FULL_ERROR="0",
    )
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr + result.stdout


@pytest.mark.slow
def test_the_stack_trace_is_there_on_request(tmp_path):
    result = run_child(
        "train.py", "data=camvid", "data.root=nowhere", f"hydra.run.dir={tmp_path}",
        HYDRA_FULL_ERROR="1",
    )  # fmt: skip
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "DataError" in result.stderr


def test_a_word_without_a_key_is_shown_with_the_key_that_a_command_needs():
    result = run("evaluate.py", "runs/one")
    assert result.returncode == 1
    assert "every word is key=value, as in run=runs/one. `" in result.stderr


def test_a_file_of_conf_that_is_no_yaml_is_named_with_its_line(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("seed: 1\nmodel: {weights: ???}\n")
    result = run("train.py", "--config-dir", str(tmp_path), "experiment=mine")
    assert result.returncode == 1
    assert "mine.yaml, line 2: " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "value", ["^(.*?)_", "/my data", "/mä", "a:b c", "it's (1)", "x=y", "{stem}_1.tif,{stem}_2.tif"]
)
def test_values_that_hydra_cannot_read_are_quoted_for_it(value):
    from omegaconf import OmegaConf

    result = run("train.py", f"data.root={value}", "--cfg", "job")
    assert result.returncode == 0, result.stderr
    assert OmegaConf.create(result.stdout).data.root == value
    assert run("train.py", "encoder=a=(", "--cfg", "job").returncode == 1


def test_hydras_rerun_which_unpickles_a_file_is_refused(tmp_path):
    result = run("predict.py", "--experimental-rerun", f"{tmp_path}/config.pickle")
    assert result.returncode == 1
    assert "Use rerun=<run directory>" in result.stderr
