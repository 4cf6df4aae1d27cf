"""A run's model made ready to give away, and the models that come with the project."""

import json
import stat

import pytest
import torch
import yaml
from commands import run, succeed
from fakes import fake_camvid

from segmentation.models import load_model
from segmentation.models.shipped import FOLDER, located, shipped

PUBLISH = "segmentation/models/publish.py"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    data = fake_camvid(tmp_path_factory.mktemp("camvid"), {"train": 4, "val": 3})
    directory = tmp_path_factory.mktemp("runs") / "first"
    succeed(
        "train.py", "data=camvid", f"data.root={data}", "encoder=timm", "encoder.name=test_resnet",
        "encoder.weights=none", "decoder=unet_small", "data.size=[32,48]", "data.batch_size=2",
        "data.workers=0", "trainer=cpu", "trainer.max_epochs=2", "logger=none", "callbacks=ema",
        f"hydra.run.dir={directory}",
    )  # fmt: skip
    return directory, data


@pytest.fixture(scope="module")
def published(trained, tmp_path_factory):
    directory, _ = trained
    output = tmp_path_factory.mktemp("out") / "streets_small"
    succeed(
        PUBLISH, f"run={directory}", f"output={output}", "licence=Research use only",
        "limits=[Cameras on cars]",
    )  # fmt: skip
    return output


def test_weights_are_rounded_to_half_precision_and_say_nearly_the_same(trained, published):
    directory, _ = trained
    before, after = load_model(directory), load_model(published)
    assert (after.classes, after.size) == (before.classes, before.size)
    state = after.model.state_dict()
    for name, value in before.model.state_dict().items():
        assert state[name].dtype == value.dtype  # in memory they are float32 again
        torch.testing.assert_close(state[name], value.half().to(value.dtype), rtol=0, atol=0)
    full, half = (path / "model.safetensors" for path in (directory / "model", published))
    assert half.stat().st_size < 0.6 * full.stat().st_size
    x = torch.randint(0, 256, (2, 3, 32, 48), dtype=torch.uint8)
    with torch.inference_mode():
        one, other = before.model(x), after.model(x)
    assert (one.argmax(1) == other.argmax(1)).float().mean() > 0.99


def test_anybody_may_read_the_files(published):
    modes = {stat.S_IMODE(path.stat().st_mode) for path in published.iterdir()}
    assert len(modes) == 1


def test_full_precision_on_demand(trained, tmp_path):
    directory, _ = trained
    succeed(PUBLISH, f"run={directory}", f"output={tmp_path}", "half=false")
    before, after = load_model(directory).model.state_dict(), load_model(tmp_path).model
    assert all(torch.equal(value, before[name]) for name, value in after.state_dict().items())
    card = (tmp_path / "README.md").read_text()
    assert "half precision" not in card
    assert "Not stated by who trained it." in card


def test_the_card_says_scores_training_limits_and_licence(trained, published):
    directory, _ = trained
    card = (published / "README.md").read_text()
    head = yaml.safe_load(card.split("---\n")[1])
    metrics = json.loads((directory / "metrics.json").read_text())
    (result,) = head["model-index"][0]["results"]
    assert result["metrics"][0] == {"type": "mean_iou", "value": round(metrics["miou"], 4)}
    assert result["dataset"]["split"] == metrics["split"]
    assert head["license"] == "other"
    for name, iou in metrics["iou"].items():
        assert f"| {name} | {'–' if iou is None else f'{100 * iou:.1f}'} |" in card
    assert f"| mean | {100 * metrics['miou']:.1f} |" in card
    for warning in metrics["warnings"]:
        assert " ".join(warning.split()) in card
    assert "- Cameras on cars\n" in card
    assert card.rstrip().endswith("Research use only")
    assert "encoder.name=test_resnet" in card
    assert "epochs: 2\n" in card
    assert "EMAWeightAveraging" in card


def test_the_card_names_no_folder_of_this_machine(trained, published):
    directory, data = trained
    for path in (published / "README.md", published / "config.json"):
        text = path.read_text()
        assert str(data) not in text
        assert str(directory) not in text
    assert "data.root=<camvid>" in (published / "README.md").read_text()


def test_what_is_no_finished_run_is_refused(trained, published, tmp_path):
    directory, _ = trained
    for path in (tmp_path, published, directory / "checkpoints" / "best.ckpt", directory / "model"):
        result = run(PUBLISH, f"run={path}", f"output={tmp_path}/out")
        assert result.returncode == 1
        assert "there is no finished run" in result.stderr
        assert "Traceback" not in result.stderr
        assert not (tmp_path / "out").exists()


def test_a_weight_that_half_precision_cannot_hold_is_refused(trained, tmp_path):
    from segmentation.errors import ModelError
    from segmentation.models import save_model

    directory, _ = trained
    loaded = load_model(directory)
    with torch.no_grad():
        loaded.model.head.bias[0] = 1e6
    with pytest.raises(ModelError, match=r"head\.bias .*half=false"):
        save_model(loaded.model, tmp_path, loaded.classes, loaded.size, half=True)
    assert not list(tmp_path.iterdir())


def test_a_name_is_a_shipped_model_unless_something_lies_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in shipped():
        assert located(name) == FOLDER / name
        (tmp_path / name).mkdir()
        assert str(located(name)) == name
    assert located("~/mine") == tmp_path / "mine"
    assert str(located("neither")) == "neither"
    result = run("predict.py", "model=neither", "input=x", "output=y")
    assert all(name in result.stderr for name in shipped())


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_model_is_small_and_has_a_card(name):
    assert (FOLDER / name / "model.safetensors").stat().st_size < 20e6
    card = (FOLDER / name / "README.md").read_text()
    assert f"model={name} " in card
    assert "research" in card.lower()
    for path in ("README.md", "config.json"):
        text = (FOLDER / name / path).read_text()
        assert not any(word in text for word in ("/home", "/Users", "/tmp", "/root"))
