"""A run's model made ready to give away, and the models that come with the project."""

import ast
import csv
import json
import re
import shlex
import shutil
import stat

import numpy as np
import pytest
import torch
import yaml
from commands import run, succeed
from fakes import fake_camvid
from hydra.core.override_parser.overrides_parser import OverridesParser
from PIL import Image

from segmentation import model_files
from segmentation.commands.publish.card import model_card
from segmentation.errors import ModelError
from segmentation.model_files import locate, shipped_name
from segmentation.models import Encoder, load_model, save_model

TINY = [
    "data=camvid", "encoder=timm", "encoder.name=test_resnet", "decoder=unet_small",
    "data.size=[32,48]", "data.batch_size=2", "data.workers=0", "trainer=cpu",
    "trainer.max_epochs=2", "logger=none",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train on weights from a file, in a folder that is nobody's business."""
    private = tmp_path_factory.mktemp("private")
    data = fake_camvid(private / "camvid", {"train": 4, "val": 3})
    weights = private / "encoder.pt"
    torch.manual_seed(0)
    torch.save(Encoder("test_resnet", weights="none").body.state_dict(), weights)
    directory = private / "runs" / "first"
    succeed(
        "train.py", f"data.root={data}", *TINY, f"encoder.weights={weights}", "callbacks=ema",
        f"hydra.run.dir={directory}",
    )  # fmt: skip
    return directory


@pytest.fixture(scope="module")
def published(trained, tmp_path_factory):
    output = tmp_path_factory.mktemp("out") / "streets_small"
    succeed(
        "publish.py", f"run={trained}", f"output={output}", "licence=Research use only",
        "limits=[Cameras on cars]",
    )  # fmt: skip
    return output


def test_kernels_are_rounded_to_half_precision_and_all_else_is_exact(trained, published):
    before, after = load_model(trained), load_model(published)
    assert (after.classes, after.size) == (before.classes, before.size)
    state, kernels = after.model.state_dict(), 0
    parameters = dict(before.model.named_parameters())
    for name, value in before.model.state_dict().items():
        rounded = name in parameters and value.ndim > 1
        kernels += rounded
        expected = value.half().float() if rounded else value
        assert state[name].dtype == value.dtype  # in memory they are float32 again
        torch.testing.assert_close(state[name], expected, rtol=0, atol=0)
    assert kernels > 5
    full, half = (path / "model.safetensors" for path in (trained / "model", published))
    assert half.stat().st_size < 0.6 * full.stat().st_size
    x = torch.randint(0, 256, (2, 3, 32, 48), dtype=torch.uint8)
    with torch.inference_mode():
        one, other = before.model(x), after.model(x)
    assert (one.argmax(1) == other.argmax(1)).float().mean() > 0.99


def test_anybody_may_read_the_files(published):
    modes = {stat.S_IMODE(path.stat().st_mode) for path in published.iterdir()}
    assert len(modes) == 1


def test_full_precision_on_demand(trained, tmp_path):
    succeed("publish.py", f"run={trained}", f"output={tmp_path}", "half=false")
    before, after = load_model(trained).model.state_dict(), load_model(tmp_path).model
    assert all(torch.equal(value, before[name]) for name, value in after.state_dict().items())
    card = (tmp_path / "README.md").read_text()
    assert "half precision" not in card
    assert "Not stated by who trained it." in card


def test_the_card_says_scores_training_limits_and_licence(trained, published):
    card = (published / "README.md").read_text()
    head = yaml.safe_load(card.split("---\n")[1])
    metrics = json.loads((trained / "metrics.json").read_text())
    (result,) = head["model-index"][0]["results"]
    assert result["metrics"][0] == {"type": "mean_iou", "value": round(metrics["miou"], 4)}
    accuracy = {"type": "accuracy", "value": round(metrics["pixel_accuracy"], 4)}
    assert result["metrics"][1:] == [accuracy]
    assert result["dataset"]["split"] == metrics["split"]
    assert head["license"] == "other"
    for name, iou in metrics["iou"].items():
        assert f"| {name} | {'–' if iou is None else f'{100 * iou:.1f}'} |" in card
    assert f"| mean | {100 * metrics['miou']:.1f} |" in card
    assert f"best epoch on val: {metrics['epoch']}" in card
    assert "- Cameras on cars\n" in card
    assert card.rstrip().endswith("Research use only")
    assert "encoder.name=test_resnet" in card
    assert "epochs: 2\n" in card
    assert "average of the weights: exponential, decay 0.99\n" in card


def test_no_folder_of_this_machine_is_given_away(trained, published):
    card = (published / "README.md").read_text()
    for text in (card, (published / "config.json").read_text()):
        assert "private" not in text
        assert str(trained.parent) not in text
    assert "data.root=<camvid>" in card
    assert "encoder.weights=encoder.pt" in card
    assert "file encoder.pt" in card


def test_what_the_card_says_to_type_can_be_typed(trained, tmp_path):
    name = 'it\'s my "model"=1'
    metrics = json.loads((trained / "metrics.json").read_text())
    card = model_card(tmp_path / name, trained, metrics, load_model(trained), True, None, ())
    (typed,) = [line for line in card.splitlines() if line.startswith("python predict.py")]
    _, _, given, *_ = shlex.split(typed)
    overrides = OverridesParser.create().parse_overrides([given])
    assert overrides[0].value() == f"path/to/{name}"
    (code,) = [line for line in card.splitlines() if line.startswith("result = ")]
    literals = [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]
    assert literals == ["street.jpg", f"path/to/{name}"]


def test_the_python_of_the_card_runs(published, tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (published / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "path" / "to").mkdir(parents=True)
    (tmp_path / "path" / "to" / published.name).symlink_to(published)
    Image.new("RGB", (48, 32), (90, 120, 60)).save("street.jpg")
    names: dict = {}
    exec(code, names)
    assert names["result"].mask.shape == (32, 48)


def test_names_from_strangers_stay_text_in_the_card(trained, tmp_path):
    metrics = json.loads((trained / "metrics.json").read_text())
    metrics["iou"] = {"<b>a|b</b>": 0.5}
    metrics["warnings"] = ["[x](y)\n# heading"]
    card = model_card(tmp_path / "x", trained, metrics, load_model(trained), True, None, ())
    assert r"| \<b\>a\|b\</b\> | 50.0 | – |" in card
    assert r"- \[x\](y) \# heading" in card


def test_a_run_of_an_older_version_has_a_card_too(trained, tmp_path):
    older = shutil.copytree(trained, tmp_path / "older")
    config = yaml.safe_load((older / "config.yaml").read_text())
    for key in ("augment", "callbacks", "schedule", "seed"):
        del config[key]
    (older / "config.yaml").write_text(yaml.safe_dump(config))
    (older / "environment.json").write_text("{}")
    metrics = {key: value for key, value in json.loads((older / "metrics.json").read_text()).items()
               if key in ("miou", "iou", "split", "images")}  # fmt: skip
    (older / "metrics.json").write_text(json.dumps(metrics))
    succeed("publish.py", f"run={older}", f"output={tmp_path}/out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "seed" not in card
    assert "best epoch" not in card


def test_what_is_no_finished_run_is_refused(trained, published, tmp_path):
    for path in (tmp_path, published, trained / "checkpoints" / "best.ckpt", trained / "model"):
        result = run("publish.py", f"run={path}", f"output={tmp_path}/out")
        assert result.returncode == 1
        assert "there is no finished run there" in result.stderr
        assert "Traceback" not in result.stderr
        assert not (tmp_path / "out").exists()


def test_nothing_else_is_overwritten(trained, published, tmp_path):
    (tmp_path / "notes.txt").touch()
    other = shutil.copytree(trained, tmp_path / "other")
    stranger = shutil.copytree(trained / "model", tmp_path / "stranger")
    (stranger / "README.md").write_text("# Mine\n")
    notes = tmp_path / "with_notes"
    notes.mkdir()
    (notes / "README.md").write_text("# Mine\n")
    kept = (trained / "model" / "model.safetensors").read_bytes()
    for output, why in (
        (trained, f"lies in the run {trained}"),
        (trained / "model", f"lies in the run {trained}"),
        (other / "model", f"lies in the run {other}"),
        (stranger, "holds a model or a README.md that is not publish.py's"),
        (notes, "holds a model or a README.md that is not publish.py's"),
        (tmp_path, "holds notes.txt already"),
        (tmp_path / "notes.txt", "is a file"),
    ):
        result = run("publish.py", f"run={trained}", f"output={output}")
        assert result.returncode == 1
        assert why in result.stderr
        assert "Traceback" not in result.stderr
    for folder in (trained / "model", other / "model", stranger):
        assert (folder / "model.safetensors").read_bytes() == kept
    done = succeed(
        "publish.py", f"run={trained}", f"output={published}", "licence=Research use only"
    )
    assert "in place of an earlier one" in done.stdout  # its own earlier files


def test_who_states_no_licence_is_told_so(trained, tmp_path):
    done = succeed("publish.py", f"run={trained}", f"output={tmp_path}")
    assert "The card states no licence" in done.stdout + done.stderr
    assert (tmp_path / "README.md").read_text().endswith("who trained it.\n")


def test_a_weight_that_half_precision_cannot_hold_is_refused(trained, tmp_path):
    loaded = load_model(trained)
    with torch.no_grad():
        loaded.model.head.weight[0] = 1e6
    with pytest.raises(ModelError, match=r"head\.weight .*half=false"):
        save_model(loaded.model, tmp_path, loaded.classes, loaded.size, half=True)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def made_shipped(published, tmp_path, monkeypatch):
    """Let the published model come with the project, and be somewhere where nothing lies."""
    shutil.copytree(published, tmp_path / "shipped" / "streets_small")
    monkeypatch.setattr(model_files, "SHIPPED", tmp_path / "shipped")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "shipped" / "streets_small"


def test_a_name_is_a_shipped_model_unless_another_model_lies_there(made_shipped, published):
    assert model_files.shipped() == ["streets_small"]
    assert locate("streets_small") == made_shipped
    assert shipped_name(made_shipped) == "streets_small"
    assert shipped_name(made_shipped / "model.safetensors") == "streets_small"
    assert shipped_name(published) is None
    here = made_shipped.parent.parent / "here" / "streets_small"
    assert str(locate("./streets_small")) == "streets_small"  # said to be here, where it is not
    here.mkdir()
    assert str(locate("streets_small")) == "streets_small"
    assert str(locate("../streets_small")) == "../streets_small"
    assert str(locate("neither")) == "neither"


def test_a_name_stands_wherever_a_model_is_given(made_shipped, trained, tmp_path):
    data = trained.parent.parent / "camvid"
    where = [f"data.root={data}", "trainer=cpu", "data.workers=0"]
    done = succeed("evaluate.py", "run=streets_small", "data=camvid", *where, "split=val")
    assert "runs/streets_small/evaluation/camvid_val" in done.stdout
    assert {path.name for path in made_shipped.iterdir()} == {
        "config.json", "model.safetensors", "README.md",
    }  # fmt: skip
    scored = tmp_path / "here" / "runs" / "streets_small" / "evaluation" / "camvid_val"
    metrics = json.loads((scored / "metrics.json").read_text())
    assert metrics["model"] == "streets_small"
    own = json.loads((trained / "metrics.json").read_text())
    assert abs(metrics["miou"] - own["miou"]) < 0.02
    compared = f"runs=[runs/streets_small/evaluation/camvid_val,{trained}]"
    succeed("compare.py", compared, "split=val", "output=compared", "size=[32,48]", "speed=false")
    with (tmp_path / "here" / "compared" / "comparison.csv").open() as file:
        costs = {(row["parameters"], row["flops"]) for row in csv.DictReader(file)}
    assert len(costs) == 1  # the same architecture
    assert all(costs.pop())
    Image.fromarray(np.zeros((40, 60, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    done = succeed("predict.py", "model=streets_small", f"input={tmp_path}/a.png", "output=masks")
    assert "1 masks written to masks by streets_small" in done.stdout
    for key in ("model.weights", "encoder.weights"):
        begun = tmp_path / key
        succeed(
            "train.py", f"data.root={data}", *TINY, "trainer.max_epochs=1", f"{key}=streets_small",
            f"hydra.run.dir={begun}",
        )  # fmt: skip
        source = json.loads((begun / "metrics.json").read_text())["encoder_weights"]
        assert "streets_small" in source


def test_who_names_no_model_is_told_the_names(made_shipped, tmp_path):
    Image.fromarray(np.zeros((40, 60, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    result = run("predict.py", "model=neither", f"input={tmp_path}/a.png", "output=masks")
    assert result.returncode == 1
    assert "loaded by name: streets_small." in result.stderr
