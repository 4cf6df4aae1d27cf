"""A job's directory is a function of its overrides alone."""

import re

from hypothesis import given
from hypothesis import strategies as st

from segmentation.sweep.jobs.names import NAME_LENGTH, job_name, job_overrides

values = st.one_of(
    st.integers().map(str),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40),
    st.sampled_from(["[32,16]", "/data/x", "resnet50", "RESNET50", "null", "a.b", "..", "con"]),
)
keys = st.sampled_from(
    ["encoder", "seed", "data.fold", "optimizer.lr", "+trainer.limit", "~x", "k"]
)
overrides = st.lists(st.tuples(keys, values).map("=".join), max_size=6)


@given(overrides, overrides)
def test_names_are_equal_if_and_only_if_the_overrides_are(one, other):
    assert (job_name(one) == job_name(other)) == (sorted(one) == sorted(other))
    # also where upper case and lower case are the same file
    assert (job_name(one).lower() == job_name(other).lower()) == (sorted(one) == sorted(other))


@given(overrides)
def test_names_are_taken_by_every_file_system(one):
    name = job_name(one)
    assert re.fullmatch(r"[A-Za-z0-9_.+-]+", name)
    assert not name.startswith((".", "-", "+"))
    assert not name.endswith(".")
    assert len(name) <= NAME_LENGTH + 11
    assert name == job_name(one[::-1])


def test_what_says_how_the_sweep_is_run_makes_no_difference():
    job = ["encoder=resnet18", "seed=1", "+sweeping=2"]
    how = ["sweep.retry=true", "launcher=joblib", "launcher.jobs=2", "sweep=tpe", "+sweep.x=1"]
    assert job_overrides([*how, *job]) == job
    assert job_name([*job, *how]) == job_name(job)


def test_people_can_read_them():
    name = job_name(["data.root=/my data", "seed=1", "decoder.channels=[8,8]", "encoder=resnet50"])
    assert re.fullmatch(r"encoder-resnet50_seed-1_[0-9a-f]{10}", name)
    many = [f"decoder.option{index}=value{index}" for index in range(20)]
    assert job_name([*many, "encoder=vgg11", "data.fold=3"]).startswith("encoder-vgg11_fold-3_opt")
