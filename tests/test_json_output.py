"""`--json`: one document on stdout, whatever the command does."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import run, run_child
from conftest import ROOT
from fakes import fake_camvid
from hypothesis import given
from hypothesis import strategies as st

from segmentation.data.fetch.__main__ import main as fetch
from segmentation.errors import DataError
from segmentation.json_output import Document, json_output, plain

CHECK = "segmentation/data/check/__main__.py"
NUMBERS = st.floats() | st.integers() | st.booleans() | st.none() | st.text()


@given(st.recursive(NUMBERS, lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=20))
def test_a_document_is_valid_json_with_null_for_what_is_no_number(value):
    document = Document()
    document.result = value

    def refuse(name):
        raise AssertionError(name)  # NaN and Infinity are none of JSON's

    def same(left, right):
        if isinstance(left, float) and not math.isfinite(left):
            return right is None
        if isinstance(left, list):
            return all(map(same, left, right))
        if isinstance(left, dict):
            return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
        return left == right

    assert same(value, json.loads(document.text(), parse_constant=refuse))


def test_numpy_paths_and_own_objects_become_plain():
    class Own:
        def to_json(self):
            return {"path": Path("a/b"), "numbers": np.array([1.5, np.nan]), "one": np.int64(3)}

    assert plain(Own()) == {"path": "a/b", "numbers": [1.5, None], "one": 3}
    with pytest.raises(TypeError, match="a object cannot be said in JSON"):
        plain(object())


def test_names_of_files_that_are_not_unicode_can_be_said():
    document = Document()
    document.result = os.fsdecode(b"\xff.png")
    assert document.text().isascii()


def in_process(arguments, act, capsys):
    with json_output(arguments) as document:
        act(document)
    return capsys.readouterr()


def test_without_the_flag_nothing_changes(capsys):
    def act(document):
        document.result = 1
        print("hello")

    assert in_process(["x.py"], act, capsys) == ("hello\n", "")


def test_the_flag_is_taken_out_so_that_ranks_and_jobs_do_not_see_it(capsys):
    arguments = ["x.py", "-m", "--json", "a=1"]

    def act(document):
        document.result = {"a": 1}
        print("hello")

    printed = in_process(arguments, act, capsys)
    assert arguments == ["x.py", "-m", "a=1"]
    assert (json.loads(printed.out), printed.err) == ({"a": 1}, "hello\n")


def test_further_ranks_print_no_document(capsys, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    printed = in_process(["x.py", "--json"], lambda _: print("hello"), capsys)
    assert printed == ("", "hello\n")


@pytest.mark.parametrize("question", ["--help", "--cfg=job", "-sc"])
def test_what_hydra_answers_stays_text(question, capsys):
    printed = in_process(["x.py", "--json", question], lambda _: print("an answer"), capsys)
    assert printed == ("an answer\n", "")


def failing(error, result=None):
    def act(document):
        document.result = result
        raise error

    return act


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (failing(ValueError("a defect")), {"error": "ValueError: a defect"}),
        (failing(DataError("no data")), {"error": "no data"}),
        (failing(SystemExit(2)), {"error": "exit code 2"}),
        (failing(SystemExit(1), {"jobs": []}), {"jobs": []}),  # it says itself what failed
        (failing(SystemExit(0)), None),
    ],
)
def test_how_a_command_ends(act, expected, capsys):
    with pytest.raises((Exception, SystemExit)):
        in_process(["x.py", "--json"], act, capsys)
    assert json.loads(capsys.readouterr().out) == expected


def test_an_error_says_what_was_done_all_the_same(capsys):
    error = DataError("one image cannot be read")
    error.partial = {"written": [Path("a.png")]}
    with pytest.raises(DataError):
        in_process(["x.py", "--json"], failing(error), capsys)
    assert json.loads(capsys.readouterr().out) == {
        "error": "one image cannot be read", "written": ["a.png"],
    }  # fmt: skip


def test_a_check_is_what_check_json_says_and_keeps_its_exit_code(tmp_path):
    root = fake_camvid(tmp_path / "data", {"train": 4, "val": 3})
    arguments = ["data=camvid", f"data.root={root}", f"output={tmp_path}/out", "--json"]
    assert run(CHECK, *arguments).returncode == 0
    (root / "train" / "train_000.png").write_text("no image")
    result = run(CHECK, *arguments)
    found = json.loads(result.stdout)
    kept = json.loads((tmp_path / "out" / "check.json").read_text())
    assert result.returncode == 1
    assert found == kept | {"page": f"{tmp_path}/out/check.html"}
    assert "1 error, 0 warnings" in result.stderr


def test_a_preview_says_where_it_is(tmp_path):
    root = fake_camvid(tmp_path / "data", {"train": 4, "val": 3})
    result = run(
        "segmentation/data/preview.py", "data=camvid", f"data.root={root}", "images=1", "draws=1",
        f"output={tmp_path}/sheet.png", "--json",
    )  # fmt: skip
    assert json.loads(result.stdout) == {"output": f"{tmp_path}/sheet.png"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate.py"], "run is not set. Type run=<value>."),
        (["train.py", "encoder=resnet43"], "encoder has no option 'resnet43'."),
        (["train.py", "-m", "data=camvid", "data.root=nowhere", "resume=auto"], "resume= and"),
    ],
)
def test_a_mistake_is_a_document_too(arguments, message, tmp_path):
    result = run(*arguments, f"hydra.sweep.dir={tmp_path}", "--json")
    assert result.returncode == 1
    assert message in json.loads(result.stdout)["error"]
    assert message in result.stderr


def test_fetching(tmp_path, capsys):
    assert fetch(["cityscapes", "--to", str(tmp_path), "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"].startswith("no Cityscapes in ")
    assert "register" in printed.err


NOISY = """
import atexit, ctypes, os, subprocess, sys
from segmentation.json_output import json_output
atexit.register(lambda: print("late"))
with json_output(sys.argv) as document:
    print("Python")
    ctypes.CDLL(None).puts(b"C")
    os.write(1, b"the descriptor\\n")
    subprocess.run(["echo", "a child"])
    document.result = {"a": 1}
ctypes.CDLL(None).fflush(None)
print("after")
"""


def test_what_c_children_and_exit_handlers_print_goes_to_stderr(tmp_path):
    (tmp_path / "noisy.py").write_text(NOISY)
    done = subprocess.run(
        [sys.executable, tmp_path / "noisy.py", "--json"], env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == {"a": 1}
    said = {"Python", "C", "the descriptor", "a child", "after", "late"}
    assert set(done.stderr.split("\n")) == {*said, ""}


@pytest.mark.slow
def test_train_evaluate_and_predict_and_a_sweep(tmp_path):
    root = fake_camvid(tmp_path / "data", {"train": 4, "val": 3, "test": 3})
    tiny = [
        "data=camvid", f"data.root={root}", "encoder=timm", "encoder.name=test_resnet",
        "encoder.weights=none", "decoder.channels=[8,8,8,8,8]", "augment=none", "trainer=cpu",
        "data.batch_size=2", "data.workers=0", "trainer.max_epochs=1", "logger=none", "--json",
    ]  # fmt: skip

    def document(*arguments, code=0):
        result = run_child(*arguments)
        assert result.returncode == code, result.stderr
        return json.loads(result.stdout)

    trained = document("train.py", *tiny, f"hydra.run.dir={tmp_path}/run")
    kept = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert trained == kept | {"directory": f"{tmp_path}/run"}
    scored = document("evaluate.py", f"run={tmp_path}/run", "split=val", "--json")
    assert scored["directory"] == f"{tmp_path}/run/evaluation/val"
    assert scored["miou"] == trained["val_miou"]
    (root / "test" / "bad.png").write_text("no image")
    predicted = document(
        "predict.py", f"model={tmp_path}/run", f"input={root}/test", f"output={tmp_path}/out",
        "--json", code=1,
    )  # fmt: skip
    assert predicted["unreadable"] == [f"{root}/test/bad.png"]
    assert len(predicted["written"]) == 3
    assert "1 of 4 images cannot be read" in predicted["error"]
    (root / "test" / "bad.png").unlink()
    swept = document(
        "train.py", "-m", *tiny, "optimizer.lr=0.001,-1", f"hydra.sweep.dir={tmp_path}/sweep",
        code=1,
    )  # fmt: skip
    assert [one["state"] for one in swept["jobs"]] == ["finished", "failed"]
    assert "optimizer.lr is -1" in swept["jobs"][1]["error"]
