"""A saved configuration builds only what conf/ has, and what the user's own files name."""

from types import SimpleNamespace

import pytest
import torch
import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from segmentation.build import trusted_targets
from segmentation.build.trusted_targets import check_targets
from segmentation.config import CONF
from segmentation.errors import ConfigError

EVIL = {"_target_": "os.makedirs", "name": "x"}
TYPED = OmegaConf.create({"optimizer": {"_target_": "torch.optim.SGD"}, "seed": "${oc.env:NONE}"})


@pytest.fixture(autouse=True)
def sources(monkeypatch):
    """The sources of the configuration, as Hydra tells of them."""
    found = [source("hydra.conf", "pkg", "hydra"), source(str(CONF), "file", "main")]
    config = SimpleNamespace(runtime=SimpleNamespace(config_sources=found))
    monkeypatch.setattr(HydraConfig, "get", lambda: config)
    return found


def source(path, schema, provider):
    return SimpleNamespace(path=path, schema=schema, provider=provider)


@pytest.mark.parametrize(
    ("saved", "key"),
    [
        ({"optimizer": EVIL}, "optimizer"),
        ({"schedule": EVIL}, "schedule"),
        ({"trainer": EVIL}, "trainer"),
        ({"logger": {"mine": EVIL}}, "logger.mine"),
        ({"callbacks": {"a": {"_target_": "torch.optim.Adam"}}}, "callbacks.a"),
        ({"callbacks": {"a": {"_target_": "pytorch_lightning.Trainer"}}}, "callbacks.a"),
        ({"optimizer": {"_target_": "torch.optim.SGD", "params": [EVIL]}}, "optimizer.params"),
        ({"optimizer": {"_target_": "torch.optim.SGD", "a": {"b": EVIL}}}, "optimizer.a.b"),
        ({"optimizer": {"_target_": "torch.optim.lr_scheduler.os.makedirs"}}, "optimizer"),
        ({"optimizer": {"_target_": "torch.optim.Adam.__init__"}}, "optimizer"),
        ({"optimizer": {"_target_": ["os.makedirs"]}}, "optimizer"),
        ({"loss": {"terms": {"a": {"_target_": "segmentation.training.losses.pixel.np.save"}}}},
         "loss.terms.a"),
        ({"augment": {"transforms": [{"Blur": [EVIL]}]}}, "augment.transforms.Blur"),
        ({"../optimizer": {"a": EVIL}}, "../optimizer.a"),
    ],
)  # fmt: skip
def test_a_class_that_nobody_here_named(saved, key):
    with pytest.raises(ConfigError) as error:
        check_targets(saved, TYPED, "rerun=theirs")
    assert str(error.value).startswith(f"rerun=theirs: its {key}._target_ is")
    assert "is not a class of this project" in str(error.value)


def test_everything_that_conf_names_is_built():
    sections = ("callbacks", "logger", "loss", "optimizer", "schedule", "trainer")
    options = [path for section in sections for path in (CONF / section).glob("*.yaml")]
    assert len(options) > 20
    for path in options:
        check_targets({path.parent.name: yaml.safe_load(path.read_text())}, TYPED, "resume=mine")


def test_all_that_is_called_like_an_optimizer_is_one():
    pattern = trusted_targets.OPTIMIZER
    names = [name for name in dir(torch.optim) if pattern.fullmatch(f"torch.optim.{name}")]
    assert {"Adam", "SGD", "RMSprop"} < set(names)
    assert all(issubclass(getattr(torch.optim, name), torch.optim.Optimizer) for name in names)
    check_targets({"optimizer": {"_target_": "torch.optim.RMSprop"}}, TYPED, "resume=mine")


def test_what_is_typed_again_is_trusted():
    saved = {"callbacks": {"a": {"_target_": "mine.Callback"}}}
    with pytest.raises(ConfigError, match=r"mine\.Callback"):
        check_targets(saved, TYPED, "resume=mine")
    check_targets(saved, OmegaConf.create(saved), "resume=mine")


@pytest.mark.parametrize("text", ["_target_: mine.Callback", "{'_target_': \"mine.Callback\"}"])
@pytest.mark.parametrize("provider", ["command-line", "hydra.searchpath in command-line"])
def test_what_a_typed_folder_names_is_trusted(tmp_path, sources, text, provider):
    saved = {"callbacks": {"a": {"_target_": "mine.Callback"}}}
    (tmp_path / "callbacks").mkdir()
    (tmp_path / "callbacks/mine.yaml").write_text(text)
    sources.append(source(str(tmp_path), "file", provider))
    check_targets(saved, TYPED, "resume=mine")
    saved["callbacks"]["a"]["_target_"] = "mine.Callbacks"
    with pytest.raises(ConfigError, match="pass the --config-dir whose files name it"):
        check_targets(saved, TYPED, "resume=mine")


def test_a_typed_package_and_a_folder_that_is_gone(sources):
    sources += [source("tests_of_nothing", "file", "command-line"), source("conf", "pkg", "x")]
    sources[-1] = source("segmentation", "pkg", "hydra.searchpath in command-line")
    with pytest.raises(ConfigError, match="its optimizer"):
        check_targets({"optimizer": EVIL}, TYPED, "resume=mine")
