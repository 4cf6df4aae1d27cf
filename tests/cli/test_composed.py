"""A job's child trains with the configuration that its sweep composed."""

import re

import hydra
import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict
from stub_sweeps import starts, sweep

from segmentation.cli.composed import apply_composed
from segmentation.cli.sweep import hydra_overrides
from segmentation.config import CONF, settings
from segmentation.errors import ConfigError
from segmentation.sweep.jobs.child import COMPOSED, COMPOSED_VARIABLE
from segmentation.system.redaction import redacted


def compose(*overrides):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("train", list(overrides), return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Write what a sweep composes with job 3, and let this process be the job's child."""

    def write(*overrides):
        composed = settings(compose(*overrides, "hydra.job.num=3"))
        OmegaConf.save(OmegaConf.create(redacted(composed)), tmp_path / COMPOSED)
        monkeypatch.setenv(COMPOSED_VARIABLE, str(tmp_path / COMPOSED))
        return composed

    return write


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["logger.wandb.name=run-${seed}-${hydra:job.num}"],
        ["logger.wandb.name=${now:%f}", "logger.wandb.tags=['${now:%f}',b]"],
        ["encoder.weights=${oc.env:SOME_WEIGHTS}"],
        ["optimizer.lr='${oc.decode:${oc.env:SOME_RATE}}'", "data.size='${data.draw.size}'"],
        [r"logger.wandb.name='literal \${x}'"],
        ["experiment=debug", "loss=ohem", "seed=12", "optimizer.lr=1e-5", "augment=strong"],
    ],
)
def test_the_child_has_what_was_composed(job, words, monkeypatch):
    monkeypatch.setenv("SOME_WEIGHTS", "a ${b}.pth")
    monkeypatch.setenv("SOME_RATE", "1e-3")
    composed = job(*words)
    monkeypatch.setenv("SOME_WEIGHTS", "others.pth")  # as on another machine
    monkeypatch.setenv("SOME_RATE", "7")
    cfg = compose(*words)
    apply_composed(cfg)
    assert settings(cfg) == composed


def test_a_secret_is_resolved_again(job, monkeypatch):
    words = ["logger=mlflow", "logger.mlflow.tracking_uri=${oc.env:SOME_SERVER}"]
    monkeypatch.setenv("SOME_SERVER", "https://user:word@host/x")
    composed = job(*words)
    cfg = compose(*words)
    apply_composed(cfg)
    assert settings(cfg) == composed
    assert composed["logger"]["mlflow"]["tracking_uri"] == "https://user:word@host/x"


def test_a_difference_is_an_error_that_names_it(job):
    job("seed=1", "trainer.max_epochs=3")
    with pytest.raises(ConfigError, match=r"job: trainer.max_epochs=3 there, 4 here"):
        apply_composed(compose("seed=1", "trainer.max_epochs=4"))


def test_a_job_that_resumes_has_the_values_of_its_first_start(job, tmp_path):
    job("logger.wandb.name=${hydra:job.num}")
    first = settings(compose("logger.wandb.name=first", "seed=5"))
    OmegaConf.save(OmegaConf.create(first), tmp_path / "config.yaml")
    cfg = compose("logger.wandb.name=${hydra:job.num}")
    apply_composed(cfg)
    assert cfg.logger.wandb.name == "first"


def test_any_other_process_keeps_its_configuration():
    cfg = compose("seed=3", "logger.wandb.name=${seed}")
    apply_composed(cfg)
    assert OmegaConf.to_container(cfg.logger)["wandb"]["name"] == "${seed}"


def hydra_config(*overrides, sweep="grid", launcher="basic"):
    choices = {"sweep": sweep, "launcher": launcher}
    return OmegaConf.create(
        {"overrides": {"hydra": list(overrides)}, "runtime": {"choices": choices}}
    )


def test_hydras_own_options_reach_the_child_but_for_those_of_the_sweep():
    kept = ["hydra.verbose=true", "hydra.searchpath=[/a]", "hydra/job_logging=none"]
    words = ["hydra.sweep.dir=x", "hydra/launcher=joblib", "+hydra.sweeper.params.seed=1"]
    assert hydra_overrides(hydra_config(*words, *kept, "hydra.mode=MULTIRUN")) == kept


def test_a_child_does_not_sweep_because_an_experiment_does():
    assert hydra_overrides(hydra_config()) == ["hydra.mode=RUN"]


def test_a_users_own_options_of_a_sweep_reach_the_child():
    words = hydra_overrides(hydra_config("hydra.mode=MULTIRUN", sweep="mine", launcher="own"))
    assert words == ["sweep=mine", "launcher=own"]


def test_a_child_is_started_with_the_sweeps_configuration_files(tmp_path):
    own = tmp_path / "own"
    (own / "experiment").mkdir(parents=True)
    (own / "mine.yaml").write_text("defaults: [train, _self_]\nseed: 7\n")
    (own / "experiment" / "both.yaml").write_text(
        "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,2'}}}\n"
    )
    root = tmp_path / "~sweep"
    flags = ["--config-dir", str(own), "-cn", "mine"]
    result = sweep(root, *flags, "experiment=both")
    assert result.returncode == 0, result.stderr
    assert "2 jobs\n  seed: 1 | 2\n" in result.stdout
    argv = [start["argv"] for (start,) in starts(root).values()]
    for words in argv:
        assert words[:4] == ["--config-name", "mine", "--config-dir", str(own)]
        assert words[4:-1] in (
            ["hydra.mode=RUN", "seed=1", "experiment=both"],
            ["hydra.mode=RUN", "seed=2", "experiment=both"],
        )
        assert re.fullmatch(rf"hydra.run.dir='{re.escape(str(root))}/.*'", words[-1])
    assert len(argv) == 2
