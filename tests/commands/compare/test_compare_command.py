"""`compare.py` on runs that are made up: what it takes, says and writes."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from commands import succeed
from comparing import FAST, compared, encoder, pair, refused, typed  # noqa: F401
from made_runs import (
    IMAGES,
    confusion,
    settings,
    write_begun,
    write_model,
    write_run,
    write_scoring,
)
from page_text import text_of


def test_the_words_say_who_is_better(pair, tmp_path):  # noqa: F811
    printed, values = compared(tmp_path, typed(pair))
    assert values["best"] == "vgg16"
    assert values["not_distinguishable_from_best"] == []
    best, worse = values["contenders"]
    assert worse["verdict"].startswith("this model scores ")
    assert worse["compares"] == values["pairs"][0]["compares"] == "models"
    assert f"vgg16: highest mIoU, {100 * best['miou']:.1f} [" in printed
    said = " ".join(printed.split())
    assert re.search(r"resnet34: this model scores \d+\.\d points below that of vgg16 \[", said)
    assert "Verdicts on it are about the trained models, not about encoders or recipes" in said
    assert "p needs no correction: there is one comparison." in said
    assert f"of {IMAGES} images 0 won, {IMAGES} lost, 0 tied; most by " in said
    assert not re.search(r"\d [*=]", printed)  # no marks without a second seed
    assert "1,000 bootstrap resamples of 24 images, drawn one by one (Efron 1979)." in printed
    assert "note: Scored on val, which also chose the epoch of each run" in printed
    assert "One run only of vgg16; resnet34" in printed
    assert max(map(len, printed.split("written to")[0].splitlines())) <= 80


def test_every_file_holds_the_same_table(pair, tmp_path):  # noqa: F811
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
        assert f"\n{name} & unknown & 1 & " in latex
    assert "Sign\\_50\\% & " in latex
    assert "| Sign_50%" in markdown
    assert f"- **resnet34**: {table['verdict'][1]}" in markdown
    page = (out / "report.html").read_text()
    assert "resnet34" in page
    assert "This model scores" in page
    assert "One run is one run." in page
    assert values["directory"] == str(out)
    assert values["contenders"][0]["runs"] == [str(pair[0])]
    assert values["contenders"][0]["miou_of_runs"] == [values["contenders"][0]["miou"]]
    assert len(values["pairs"]) == 1
    assert values["images"] == IMAGES


def test_json_is_on_stdout_alone(pair, tmp_path):  # noqa: F811
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
    assert "Δ mIoU" not in printed
    assert "only one contender: there is nothing to compare" in printed
    assert not re.search(r"\d [*=]", printed)
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


def test_stars_stand_for_the_runs_that_fit(pair, tmp_path):  # noqa: F811
    write_begun(tmp_path / "three", encoder("vgg19"))
    (tmp_path / "notes").mkdir()
    printed, values = compared(tmp_path, f"runs={tmp_path}/*")
    assert {one["name"] for one in values["contenders"]} == {"vgg16", "resnet34"}
    assert "Left out: three (not finished)." in printed
    assert "no run matches" in refused(f"runs=[{tmp_path}/x*]")


def test_runs_that_began_otherwise_and_their_warnings_are_said(tmp_path):
    runs = [
        write_run(
            tmp_path / name, encoder(name), encoder_weights=weights, warnings=["all", name.upper()]
        )
        for name, weights in (("vgg11", "random"), ("vgg13", "hub timm/vgg13.tv_in1k"))
    ]
    printed, values = compared(tmp_path, typed(runs))
    said = " ".join(printed.split())
    assert said.startswith("warning: The contenders' encoders started from different weights")
    weights = {one["name"]: one["encoder_weights"] for one in values["contenders"]}
    assert weights == {"vgg11": "random", "vgg13": "hub timm/vgg13.tv_in1k"}
    assert "random: vgg11; hub timm/vgg13.tv_in1k: vgg13." in values["weights_warning"]
    page = text_of(tmp_path / "out" / "report.html")
    assert page.index("started from different weights") < page.index("Highest mIoU")
    markdown = (tmp_path / "out" / "comparison.md").read_text()
    assert markdown.index("**Warning**: The contenders") < markdown.index("| contender")
    assert "warning: all " in said
    assert "warning: vgg13: VGG13" in said
    assert values["notes"].count("all") == 1


def test_other_machines_are_said(pair, tmp_path):  # noqa: F811
    write_begun(pair[1], encoder("resnet34"), hardware={"cpu": "Fast CPU", "gpus": []})
    printed, _ = compared(tmp_path, typed(pair))
    assert "trained on different machines (CPU, 1 core; CPU, 1 core · Fast CPU)" in " ".join(
        printed.split()
    )


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


@pytest.mark.parametrize("source", ["random", "random (no network: try again)"])
def test_random_weights_are_known_from_the_training_and_from_the_model(tmp_path, source):
    trained = write_run(tmp_path / "a", encoder("vgg11"), encoder_weights="package p")
    begun = write_run(tmp_path / "b", encoder("vgg13"), encoder_weights=source)
    write_scoring(begun / "evaluation" / "val", confusion(0.1, 1))
    _, values = compared(tmp_path, typed([trained, begun]))
    assert "random: vgg13; ImageNet, package p: vgg11." in values["weights_warning"]
    write_model(trained)  # which says that its encoder is random
    _, values = compared(tmp_path, typed([trained, begun]))
    assert values["weights_warning"] is None


@pytest.mark.slow
def test_the_script_by_itself(pair, tmp_path):  # noqa: F811
    for one in pair:
        write_model(one)
    result = succeed("compare.py", typed(pair), f"output={tmp_path / 'out'}", child=True)
    assert "resnet34: this model scores" in result.stdout
    assert (tmp_path / "out" / "report.html").is_file()


def recipes_of_seeds(tmp_path, seeds):
    return [
        write_run(tmp_path / f"{name}_{seed}", encoder(name, seed), better)
        for name, better in (("vgg16", 0.2), ("resnet34", 0.17))
        for seed in range(seeds)
    ]


def test_recipes_are_marked_and_their_shared_seeds_tested(tmp_path):
    printed, values = compared(tmp_path, typed(recipes_of_seeds(tmp_path, 3)))
    (difference,) = values["pairs"]
    assert difference["compares"] == "recipes"
    assert difference["over_seeds"] == {"p": 0.25, "least": 0.25, "paired": True}
    assert "* highest   = not distinguishable" in printed
    page = text_of(tmp_path / "out" / "report.html")
    assert "How many seeds would tell" in page
    assert "never reach 0.05: that takes 6 seeds each." in page
    assert "One run is one run." not in page


def test_a_plan_is_a_table_of_seeds_and_writes_nothing(tmp_path):
    runs = recipes_of_seeds(tmp_path, 2)
    words = (*FAST, f"output={tmp_path / 'out'}", typed(runs), "plan=true")
    printed = " ".join(succeed("compare.py", *words).stdout.split())
    assert "Seeds of a contender have an SD of" in printed
    assert "power to tell resnet34 from vgg16, whose mIoU differs by" in printed
    assert "any number" in printed
    assert not (tmp_path / "out").exists()
    values = json.loads(succeed("compare.py", *words, "--json").stdout)
    assert len(values["power"]["resnet34"]) == len(values["seeds"])
    assert values["effects"] == [0.01, 0.02, 0.05]


def test_a_plan_needs_a_spread_between_seeds(pair):  # noqa: F811
    assert "plan=true: every contender has one seed" in refused(typed(pair), "plan=true")
    assert "name at least two contenders" in refused(typed(pair[:1]), "plan=true")


def test_a_correction_is_chosen(pair, tmp_path):  # noqa: F811
    third = write_run(tmp_path / "three", encoder("vgg19"), 0.19)
    _, values = compared(tmp_path, typed([*pair, third]), "correction=none")
    assert values["correction"].startswith("p is not corrected for the 3 pairs")
    assert all(pair["p"] == pair["p_corrected"] for pair in values["pairs"])
    assert "correction=bonferroni: use none, holm, bh." in refused(
        typed(pair), "correction=bonferroni"
    )
