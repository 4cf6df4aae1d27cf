"""A job is known by its overrides as typed, wherever `hydra.sweep.subdir` puts it."""

import json

import pytest
from stub_sweeps import jobs, starts, sweep, table

from segmentation.commands.compare.resolve_runs import resolve_runs
from segmentation.errors import ConfigError, DataError
from segmentation.sweep.jobs.directories import claim_directory, job_directories
from segmentation.sweep.jobs.names import job_name, job_overrides

INTERPOLATED = [
    "logger.wandb.name=run-${seed}",
    "logger.wandb.group=${hydra:job.num}",
    "encoder.weights=${oc.env:SOME_WEIGHTS}",
]


SLOW = [
    pytest.param(subdir, marks=pytest.mark.slow)
    for subdir in (None, "${hydra.job.override_dirname}", "./", "~x")
]


@pytest.mark.parametrize("subdir", ["${hydra.job.num}", "a/${seed}/b", "fixed", *SLOW])
def test_any_subdirectory_works_with_table_and_resume(tmp_path, subdir):
    words = ["seed=1,2", *INTERPOLATED, *([f"hydra.sweep.subdir={subdir}"] if subdir else [])]
    result = sweep(tmp_path, *words, SOME_WEIGHTS="w.pth")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 jobs: 2 finished" in result.stdout
    rows = table(tmp_path)
    assert [(row["seed"], row["state"], row["score"]) for row in rows] == [
        ("1", "finished", "0.01"), ("2", "finished", "0.02"),
    ]  # fmt: skip
    assert {row["logger.wandb.name"] for row in rows} == {"run-${seed}"}
    assert len({row["directory"] for row in rows}) == 2
    for row in rows:
        metrics = json.loads((tmp_path / row["directory"] / "metrics.json").read_text())
        assert metrics["score"] == float(row["score"])
    assert len(resolve_runs(None, str(tmp_path))[0]) == 2
    begun = len(list(tmp_path.rglob("starts.jsonl")))
    words[0] = "seed=3,2,1"  # other numbers
    assert sweep(tmp_path, *words, SOME_WEIGHTS="w.pth").returncode == 0
    notes = list(tmp_path.rglob("starts.jsonl"))
    assert (begun, len(notes)) == (2, 3)
    assert all(len(note.read_text().splitlines()) == 1 for note in notes)


def test_words_are_as_typed_where_hydra_escapes_them(tmp_path):
    assert sweep(tmp_path, "seed=1", *INTERPOLATED, SOME_WEIGHTS="w").returncode == 0
    ((start,),) = starts(tmp_path).values()
    assert start["argv"][1:-1] == INTERPOLATED
    assert list(jobs(tmp_path)) == [" ".join(["seed=1", *INTERPOLATED])]
    assert job_overrides([r"k=$\{a\:$\{b\}\}"]) == ["k='${a:${b}}'"]
    assert job_overrides([r"k=[$\{a\},x]"]) == ["k=['${a}',x]"]
    assert job_overrides([r"k=a\ b", "k='${a}'"]) == [r"k=a\ b", "k='${a}'"]


def test_a_directory_stays_that_of_its_job(tmp_path):
    one, two, three = (job_name([f"seed={seed}"]) for seed in (1, 2, 3))
    assert claim_directory(tmp_path, one, "0") == tmp_path / "0"
    assert claim_directory(tmp_path, two, "0") == tmp_path / f"0_{two[-10:]}"
    assert claim_directory(tmp_path, one, "1") == tmp_path / "0"
    assert claim_directory(tmp_path, one, one) == tmp_path / "0"
    assert claim_directory(tmp_path, three, three) == tmp_path / three
    (tmp_path / three).mkdir()
    (tmp_path / three / "job.json").write_text("{}")
    assert claim_directory(tmp_path, three, "0") == tmp_path / three  # it began there
    assert job_directories(tmp_path) == [three]
    (tmp_path / "0").mkdir()
    assert job_directories(tmp_path) == ["0", three]


@pytest.mark.parametrize("subdir", ["/tmp/x", "../x", "a/../../x"])
def test_a_directory_outside_the_sweep_is_refused(tmp_path, subdir):
    with pytest.raises(ConfigError, match=r"it has to be below hydra\.sweep\.dir"):
        claim_directory(tmp_path, "name_0", subdir)
    (tmp_path / "directories.json").write_text(json.dumps({"name_0": subdir}))
    with pytest.raises(DataError, match="is not a directory below"):
        job_directories(tmp_path)


def test_a_sweep_first_prints_its_jobs(tmp_path):
    weights = "encoder.weights=a/epoch=1.ckpt,b/epoch=3.ckpt"
    result = sweep(tmp_path, weights, "data.size=[64,64],[128,128]", "seed=13", "sweep.keep=all")
    assert result.stdout.startswith(
        "4 jobs\n"
        "  encoder.weights: 'a/epoch=1.ckpt' | 'b/epoch=3.ckpt'\n"
        "  data.size: [64,64] | [128,128]\n"
        f"sweep: {tmp_path}\n"
    )
    assert len(jobs(tmp_path)) == 4
    assert sweep(tmp_path, "seed=range(0,30)", "sweep.keep=x").returncode == 1


def test_one_job_is_printed_with_its_values(tmp_path):
    result = sweep(tmp_path, "encoder.weights='a,b'", "seed=1")
    assert result.stdout.startswith("1 job: encoder.weights='a,b' seed=1\n")
