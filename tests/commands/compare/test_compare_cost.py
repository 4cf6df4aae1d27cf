"""Size, FLOPs and speed in a comparison."""

import json
import shutil

import pandas as pd
import pytest
import torch
from commands import succeed
from comparing import compared, pair, typed  # noqa: F401
from fakes import fake_camvid
from made_runs import confusion, settings, write_model, write_run, write_scoring

from segmentation.commands.compare import cost


def test_cost_is_measured_of_each_architecture(pair, tmp_path):  # noqa: F811
    for one in pair:
        write_model(one)
    result = succeed(
        "compare.py", "resamples=1000", typed(pair), f"output={tmp_path / 'out'}", "device=cpu"
    )
    table = pd.read_csv(tmp_path / "out" / "comparison.csv")
    assert (table["parameters"] > 1000).all()
    assert (table["flops"] > 1e5).all()
    assert (table["latency_ms"] > 0).all()
    assert table["latency_ms"].nunique() == 1  # one architecture is measured once
    assert "measured now, all in turn, on CPU" in " ".join(result.stdout.split())
    assert "32x32" in result.stdout
    values = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert values["contenders"][0]["size"] == [32, 32]


def test_without_speed_the_counted_costs_are_there(pair, tmp_path):  # noqa: F811
    write_model(pair[0])
    printed, values = compared(tmp_path, typed(pair), "size=[64,64]")
    best, other = values["contenders"]
    assert best["latency_ms"] is best["images_per_second"] is other["flops"] is None
    assert best["flops"] > 0
    assert best["size"] == [64, 64]
    assert "The cost of resnet34 is unknown, as its model cannot be loaded" in " ".join(
        printed.split()
    )


def test_the_size_is_that_of_the_images_where_none_is_set(tmp_path):
    data = fake_camvid(tmp_path / "data", {"train": 1, "val": 1}, size=(48, 64))
    config = settings(data__size=None, data__root=str(data))
    one = write_model(write_run(tmp_path / "one", config), size=None)
    _, values = compared(tmp_path, f"runs={one}")
    assert values["contenders"][0]["size"] == [48, 64]
    shutil.rmtree(data)
    printed, values = compared(tmp_path, f"runs={one}")
    assert values["contenders"][0]["flops"] is None
    assert values["contenders"][0]["parameters"] > 1000
    assert "set size=[<height>,<width>]" in " ".join(printed.split())


def test_the_cost_is_of_the_size_that_was_scored(tmp_path):
    one = write_model(write_run(tmp_path / "one", settings()), size=(32, 32))
    larger = write_scoring(one / "evaluation" / "val-2", confusion(0.0, 1), size=[64, 96])
    _, values = compared(tmp_path, typed([one, larger]))
    found = {tuple(one["size"]): one["flops"] for one in values["contenders"]}
    assert found[64, 96] == pytest.approx(6 * found[32, 32], rel=0.01)


def test_a_device_that_fails_loses_no_comparison(pair, tmp_path, monkeypatch):  # noqa: F811
    def full(*arguments, **options):
        raise torch.OutOfMemoryError("GPU 0 is full\nTried to allocate much")

    monkeypatch.setattr(cost, "speeds", full)
    for one in pair:
        write_model(one)
    result = succeed(
        "compare.py", "resamples=1000", typed(pair), f"output={tmp_path / 'out'}", "device=cpu"
    )
    said = " ".join(result.stdout.split())
    assert "speed could not all be measured: GPU 0 is full. Try smaller images" in said
    table = pd.read_csv(tmp_path / "out" / "comparison.csv")
    assert (table["flops"] > 0).all()
    assert table["latency_ms"].isna().all()
