"""`compare.py` on runs that are made up: what it takes, refuses, says and writes."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from commands import run, succeed
from fakes import fake_camvid
from made_runs import (
    IMAGES,
    confusion,
    names,
    settings,
    write_begun,
    write_model,
    write_run,
    write_scoring,
)  # fmt: skip

from segmentation.commands.compare import cost

FAST = ("resamples=1000", "speed=false")


def encoder(name, seed=0, **changes):
    return settings(encoder__name=name, seed=seed, **changes)


@pytest.fixture
def pair(tmp_path):
    """Two runs whose encoders differ; the first is better."""
    return [
        write_run(tmp_path / "one", encoder("vgg16"), 0.2),
        write_run(tmp_path / "two", encoder("resnet34"), -0.1),
    ]


def typed(runs):
    return f"runs=[{','.join(map(str, runs))}]"


def compared(tmp_path, *arguments):
    """Return what compare.py printed, and comparison.json."""
    result = succeed("compare.py", *FAST, f"output={tmp_path / 'out'}", *arguments)
    return result.stdout, json.loads((tmp_path / "out" / "comparison.json").read_text())


def refused(*arguments):
    result = run("compare.py", *FAST, *arguments)
    assert result.returncode == 1, result.stdout
    assert "Traceback" not in result.stderr
    return result.stderr


def test_the_words_say_who_is_better(pair, tmp_path):
    printed, values = compared(tmp_path, typed(pair))
    assert values["best"] == "vgg16"
    assert values["not_distinguishable_from_best"] == []
    best, worse = values["contenders"]
    assert worse["verdict"].startswith("worse than vgg16 by ")
    assert f"vgg16: highest mIoU, {100 * best['miou']:.1f} [" in printed
    assert "resnet34: worse than vgg16 by" in " ".join(printed.split())
    assert "1,000 bootstrap resamples of 24 images, drawn one by one (Efron 1979)." in printed
    assert "note: Scored on val, which also chose the epoch of each run" in printed
    assert "One run only of vgg16; resnet34" in printed
    assert max(map(len, printed.split("written to")[0].splitlines())) <= 80


def test_every_file_holds_the_same_table(pair, tmp_path):
    _, values = compared(tmp_path, typed(pair))
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {
        "comparison.csv", "classes.csv", "comparison.md", "comparison.tex", "comparison.json",
        "report.html",
    }  # fmt: skip
    table = pd.read_csv(out / "comparison.csv")
    assert table["name"].tolist() == [one["name"] for one in values["contenders"]]
    assert table["miou"].tolist() == pytest.approx([one["miou"] for one in values["contenders"]])
    classes = pd.read_csv(out / "classes.csv")
    assert classes["class"].tolist() == ["Sky", "Road", "Sign_50%"]
    markdown, latex = ((out / f"comparison.{end}").read_text() for end in ("md", "tex"))
    for name in table["name"]:
        assert f"| {name}" in markdown
        assert f"\n{name} & 1 & " in latex
    assert "Sign\\_50\\% & " in latex
    assert "| Sign_50%" in markdown
    assert f"- **resnet34**: {table['verdict'][1]}" in markdown
    page = (out / "report.html").read_text()
    assert "resnet34" in page
    assert "worse than vgg16" in page
    assert values["directory"] == str(out)
    assert values["contenders"][0]["runs"] == [str(pair[0])]
    assert values["contenders"][0]["miou_of_runs"] == [values["contenders"][0]["miou"]]
    assert len(values["pairs"]) == 1
    assert values["images"] == IMAGES


def test_json_is_on_stdout_alone(pair, tmp_path):
    result = succeed("compare.py", *FAST, f"output={tmp_path / 'out'}", typed(pair), "--json")
    written = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert json.loads(result.stdout) == written


def test_seeds_are_one_contender(tmp_path):
    runs = [
        write_run(tmp_path / f"{name}_{seed}", encoder(name, seed), better, seconds=60 + 60 * seed)
        for name, better in (("vgg16", 0.2), ("resnet34", 0.19))
        for seed in (0, 1)
    ]
    printed, values = compared(tmp_path, typed(runs))
    assert {one["name"]: one["seeds"] for one in values["contenders"]} == {
        "vgg16": 2, "resnet34": 2,
    }  # fmt: skip
    for one in values["contenders"]:
        assert one["miou"] == pytest.approx(np.mean(one["miou_of_runs"]))
        assert one["sd"] == pytest.approx(np.std(one["miou_of_runs"], ddof=1))
        assert one["training_seconds"] == 90
    assert "Not distinguishable on this test set from" in printed
    assert len(values["not_distinguishable_from_best"]) == 1
    assert "Training times differ from seed to seed by more than 25%" in " ".join(printed.split())


def test_one_contender_is_shown_with_its_interval(tmp_path):
    printed, values = compared(tmp_path, f"runs={write_run(tmp_path / 'only')}")
    assert "resnet34: mIoU" in printed
    assert "to best" not in printed
    (one,) = values["contenders"]
    assert one["low"] < one["miou"] < one["high"]
    assert values["pairs"] == []


def sweep_of(directory, **states):
    """Write a sweep: of each encoder a job in a state."""
    directory.mkdir()
    (directory / "jobs.csv").write_text("directory,state\n")
    for name, state in states.items():
        job = directory / f"encoder-{name}"
        if state in ("finished", "pruned"):
            write_run(job, encoder(name))
        else:
            write_begun(job, encoder(name))
        (job / "job.json").write_text(json.dumps({"overrides": [], "state": state}))
    return directory


def test_a_sweep_is_compared_and_what_is_left_out_is_named(tmp_path):
    sweep = sweep_of(
        tmp_path / "my sweep", vgg16="finished", resnet18="failed", resnet34="finished",
        resnet50="pruned",
    )  # fmt: skip
    result = succeed("compare.py", *FAST, f"sweep={sweep}")
    values = json.loads((sweep / "comparison" / "comparison.json").read_text())
    assert {one["name"] for one in values["contenders"]} == {"vgg16", "resnet34"}
    assert "Left out: encoder-resnet18 (failed), encoder-resnet50 (pruned)." in " ".join(
        result.stdout.split()
    )


def test_a_sweep_without_a_finished_job_is_refused(tmp_path):
    sweep = sweep_of(tmp_path / "sweep", vgg16="failed", resnet18="running")
    said = refused(f"sweep={sweep}")
    assert "is finished: encoder-resnet18 (running), encoder-vgg16 (failed)" in said
    assert f"is a sweep: type sweep={sweep}" in refused(f"runs={sweep}")


def test_folders_that_are_no_sweep_are_refused(pair, tmp_path):
    said = refused(f"sweep={tmp_path}")
    assert "is not a sweep: it has no jobs. For a folder of runs type" in said
    assert f"{tmp_path}/*" in said
    assert "there is no such directory" in refused(f"sweep={tmp_path / 'none'}")


def test_stars_stand_for_the_runs_that_fit(pair, tmp_path):
    write_begun(tmp_path / "three", encoder("vgg19"))
    (tmp_path / "notes").mkdir()
    printed, values = compared(tmp_path, f"runs={tmp_path}/*")
    assert {one["name"] for one in values["contenders"]} == {"vgg16", "resnet34"}
    assert "Left out: three (not finished)." in printed
    assert "no run matches" in refused(f"runs=[{tmp_path}/x*]")


def test_names_are_given_and_group(pair, tmp_path):
    third = write_run(tmp_path / "three", encoder("resnet34", 1), 0.2)
    printed, values = compared(tmp_path, typed([*pair, third]), "names=[new,base,new]")
    assert {one["name"]: one["seeds"] for one in values["contenders"]} == {"new": 2, "base": 1}
    assert "The runs named new differ in more than their seed: encoder.name." in " ".join(
        printed.split()
    )
    assert "names=['a']: give one for each of the 2 runs" in refused(typed(pair), "names=[a]")


def test_nothing_or_two_things_to_compare_are_refused(pair, tmp_path):
    for arguments in ((), (typed(pair), f"sweep={tmp_path}")):
        assert "name what to compare, in one of two ways. Type runs=" in refused(*arguments)
    assert "runs=[]" in refused("runs=[]")
    assert "no run" in refused(f"runs=[{tmp_path / 'none'}]")


def test_a_run_is_named_once(pair, tmp_path):
    assert "is named twice" in refused(typed([pair[0], pair[0]]))
    again = f"{tmp_path}/two/../one"
    assert "are the same run" in refused(typed([pair[0], again]))
    copy = write_run(tmp_path / "copy", encoder("vgg16"), 0.2)
    assert "have the same settings, the same seed and the same predictions" in refused(
        typed([*pair, copy])
    )


def test_runs_that_are_not_finished_or_not_scored_alike_are_refused(pair, tmp_path):
    begun = write_begun(tmp_path / "begun", settings())
    assert f"python train.py resume={begun}; or omit it" in refused(typed([*pair, begun]))
    other = write_run(tmp_path / "other", encoder("vgg11"), split="test")
    said = refused(typed([*pair, other]))
    assert f"python evaluate.py run={other} split=val" in said
    assert "split=tset. Did you mean 'test'?" in refused(typed(pair), "split=tset")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"image_names": names(prefix="other")}, "they were scored on different images"),
        ({"classes": ("Sky", "Road", "Tram")}, "their class tables differ"),
        ({"matrices": confusion(0.0) // 2}, "their void policies differ"),
        ({"matrices": confusion(0.0)[:, ::-1, ::-1]}, "their labels differ"),
    ],
)
def test_scores_that_cannot_be_compared_are_refused(pair, tmp_path, facts, reason):
    other = write_begun(tmp_path / "other", encoder("vgg11"))
    write_scoring(other, facts.pop("matrices", confusion(0.0)), seconds=1.0, **facts)
    assert reason in refused(typed([pair[0], other]), f"output={tmp_path / 'out'}")


def test_images_with_other_contents_are_refused(tmp_path):
    runs = [
        write_run(tmp_path / name, encoder(name), data_fingerprint=name)
        for name in ("vgg11", "vgg13")
    ]
    assert "the files' contents differ" in refused(typed(runs), f"output={tmp_path / 'out'}")


def folded(directory, fold, split="val"):
    config = settings(data__folds=3, data__fold=fold)
    images = names(prefix=f"fold{fold}" if split == "val" else "image")
    write_begun(directory, config)
    return write_scoring(directory, confusion(0.0, fold), split, images, seconds=1.0)


def test_folds_are_other_images_unless_scored_on_the_same(tmp_path):
    runs = [folded(tmp_path / f"fold{fold}", fold) for fold in range(3)]
    assert "different folds (data.fold)" in refused(typed(runs))
    runs = [folded(tmp_path / f"test{fold}", fold, "test") for fold in range(3)]
    printed, values = compared(tmp_path, typed(runs))
    assert [one["seeds"] for one in values["contenders"]] == [3]
    assert "several folds: each was trained on other images" in " ".join(printed.split())


def test_how_a_model_was_used_is_part_of_its_name(tmp_path):
    plain = write_run(tmp_path / "run")
    inference = {"flip": True, "scales": [1.0], "window": None, "overlap": 0.3}
    flipped = write_scoring(plain / "evaluation" / "val_flip", confusion(0.05), inference=inference)
    _, values = compared(tmp_path, typed([plain, flipped]))
    assert {one["name"] for one in values["contenders"]} == {"plain", "flip=true"}


def test_runs_that_began_otherwise_and_their_warnings_are_said(tmp_path):
    runs = [
        write_run(
            tmp_path / name, encoder(name), encoder_weights=weights, warnings=["all", name.upper()]
        )
        for name, weights in (("vgg11", "random"), ("vgg13", "timm's ImageNet weights"))
    ]
    printed, values = compared(tmp_path, typed(runs))
    said = " ".join(printed.split())
    assert "The encoders of vgg11 began from random weights, others from trained ones." in said
    assert "warning: all " in said
    assert "warning: vgg13: VGG13" in said
    assert values["notes"].count("all") == 1


def test_other_machines_are_said(pair, tmp_path):
    write_begun(pair[1], encoder("resnet34"), hardware={"cpu": "Fast CPU", "gpus": []})
    printed, _ = compared(tmp_path, typed(pair))
    assert "trained on different machines (CPU, 1 core; CPU, 1 core · Fast CPU)" in " ".join(
        printed.split()
    )


def test_cost_is_measured_of_each_architecture(pair, tmp_path):
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


def test_without_speed_the_counted_costs_are_there(pair, tmp_path):
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


def test_model_directories_are_called_by_their_names(pair, tmp_path):
    for name, better in (("mine", 0.1), ("theirs", -0.1)):
        write_model(tmp_path / name)
        (tmp_path / name / "model").rename(tmp_path / f"{name}_model")
        write_scoring(tmp_path / f"{name}_model" / "evaluation" / "val", confusion(better))
    models = [tmp_path / "mine_model", tmp_path / "theirs_model"]
    _, values = compared(tmp_path, typed([*models, pair[0]]))
    assert [one["name"] for one in values["contenders"]] == ["vgg16", "mine_model", "theirs_model"]
    assert [one["parameters"] is None for one in values["contenders"]] == [True, False, False]


def test_many_contenders_have_their_winners_in_the_terminal(tmp_path):
    runs = [
        write_run(tmp_path / str(place), encoder(f"encoder{place}", place), 0.05 * place)
        for place in range(7)
    ]
    printed, values = compared(tmp_path, typed(runs))
    assert "best of each class" in printed
    assert values["best"] == "encoder6"
    assert len(values["pairs"]) == 21


def test_runs_of_one_seed_are_said(tmp_path):
    runs = [
        write_run(tmp_path / "one", settings(), 0.1),
        write_run(tmp_path / "two", settings(), 0.11),
    ]
    printed, _ = compared(tmp_path, typed(runs))
    assert "note: Runs of resnet34 have the same seed" in printed


@pytest.mark.parametrize("file", ["config.yaml", "environment.json"])
def test_damaged_files_are_refused(pair, file):
    (pair[0] / file).write_text("{a: [")
    said = refused(typed(pair))
    assert file in said
    assert "is damaged: " in said


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("by=frame", "by=frame: use auto, image, block"),
        ("by=block", "by=block needs neighbouring frames"),
        ("resamples=3", "at least 100 are needed"),
        ("size=[3]", "expected [height,width]"),
        ("output=/proc/none/x", "Type output=<another folder>"),
        ("seed=-1", "seed=-1"),
    ],
)
def test_wrong_options_are_refused(pair, tmp_path, argument, reason):
    assert reason in refused(typed(pair), f"output={tmp_path / 'out'}", argument)


def test_an_unknown_option_gets_a_hint():
    assert "there is no option 'rums'. Did you mean 'runs'?" in refused("rums=x")


def test_how_a_model_was_scored_tells_it_from_itself(tmp_path):
    one = write_run(tmp_path / "run", settings(), split="test")
    facts = [
        {"precision": "64-true", "size": [32, 32]},
        {"precision": "64-true", "size": [64, 64]},
        {"class_map": {"road": "Road"}},
    ]
    write_begun(one, settings(), precision="32-true")
    scored = [
        write_scoring(one / "evaluation" / f"test-{place}", confusion(0.1, place), "test", **more)
        for place, more in enumerate(facts, 2)
    ]
    _, values = compared(tmp_path, typed([one, *scored]))
    found = {one["runs"][0]: one["name"] for one in values["contenders"]}
    assert found.pop(str(scored[2])).startswith("class_map=")
    assert found == {
        str(one): "scored as trained",
        str(scored[0]): "precision=64-true",
        str(scored[1]): "precision=64-true size=[64,64]",
    }


def test_what_a_model_learnt_from_tells_it_from_others(tmp_path):
    runs = []
    for place, (root, prints) in enumerate([("half", "aaaa1"), ("full", "bbbb2"), ("x", "bbbb2")]):
        config = settings(seed=place, data__root=f"/data/{root}")
        runs.append(write_run(tmp_path / root, config))
        write_begun(runs[-1], config, data={"train": prints, "val": "same"})
    _, values = compared(tmp_path, typed(runs))
    assert {one["name"]: one["seeds"] for one in values["contenders"]} == {
        "train data aaaa": 1, "train data bbbb": 2,
    }  # fmt: skip


def test_folds_of_one_data_set_learn_from_other_images_and_are_one(tmp_path):
    runs = []
    for fold in range(2):
        runs.append(folded(tmp_path / f"fold{fold}", fold, "test"))
        write_begun(runs[-1], settings(data__folds=3, data__fold=fold), data={"train": f"f{fold}"})
    _, values = compared(tmp_path, typed(runs))
    assert [one["seeds"] for one in values["contenders"]] == [2]


def test_a_scoring_again_after_the_data_changed_is_found(tmp_path):
    runs = [
        write_run(tmp_path / name, encoder(name), split="test", data_fingerprint="old")
        for name in ("vgg11", "vgg13")
    ]
    for one in runs:
        write_scoring(one / "evaluation" / "test", confusion(0.1), "test", data_fingerprint="old")
    for place, one in enumerate(runs):
        write_scoring(
            one / "evaluation" / "test-2", confusion(0.1, place), "test", data_fingerprint="new"
        )
    _, values = compared(tmp_path, typed(runs))
    folders = [str(one / "evaluation" / "test-2") for one in runs]
    assert {one["runs"][0] for one in values["contenders"]} == set(folders)
    for folder in folders:
        said = f"Of several evaluations {folder} is compared: on the same images as the others."
        assert said in values["notes"]


def test_a_scoring_of_other_weights_is_left_out_and_said(pair, tmp_path):
    again = write_run(tmp_path / "three", encoder("vgg19"), weights="now")
    stale = write_scoring(again / "evaluation" / "val", confusion(0.3), weights="then")
    _, values = compared(tmp_path, typed([*pair, again]))
    assert str(stale) not in str(values["contenders"])
    said = f"{stale} is left out: other weights were scored than the run has now."
    assert said in values["notes"]


def test_the_cost_is_of_the_size_that_was_scored(tmp_path):
    one = write_model(write_run(tmp_path / "one", settings()), size=(32, 32))
    larger = write_scoring(one / "evaluation" / "val-2", confusion(0.0, 1), size=[64, 96])
    _, values = compared(tmp_path, typed([one, larger]))
    found = {tuple(one["size"]): one["flops"] for one in values["contenders"]}
    assert found[64, 96] == pytest.approx(6 * found[32, 32], rel=0.01)


def test_a_device_that_fails_loses_no_comparison(pair, tmp_path, monkeypatch):
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


@pytest.mark.parametrize("source", ["random", "random (no network: try again)"])
def test_random_weights_are_known_from_the_training_and_from_the_model(tmp_path, source):
    trained = write_run(tmp_path / "a", encoder("vgg11"), encoder_weights="timm's weights")
    begun = write_run(tmp_path / "b", encoder("vgg13"), encoder_weights=source)
    write_scoring(begun / "evaluation" / "val", confusion(0.1, 1))
    printed, _ = compared(tmp_path, typed([trained, begun]))
    assert "The encoders of vgg13 began from random weights" in " ".join(printed.split())
    write_model(trained)  # which says that its encoder is random
    printed, _ = compared(tmp_path, typed([trained, begun]))
    assert "began from random weights" not in printed


def test_files_that_are_nested_too_deeply_are_refused(pair):
    (pair[0] / "environment.json").write_text("[" * 10**5)
    assert "is damaged: maximum recursion" in refused(typed(pair))


@pytest.mark.slow
def test_the_script_by_itself(pair, tmp_path):
    for one in pair:
        write_model(one)
    result = succeed("compare.py", typed(pair), f"output={tmp_path / 'out'}", child=True)
    assert "resnet34: worse than vgg16" in result.stdout
    assert (tmp_path / "out" / "report.html").is_file()
