"""`--json`: one document on stdout, whatever the command does."""

import datetime
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import run, run_child
from conftest import ROOT
from fakes import fake_camvid
from hypothesis import given
from hypothesis import strategies as st

from segmentation.cli.json_output import Document, json_output
from segmentation.cli.overrides import asks_hydra
from segmentation.commands.fetch import main as fetch
from segmentation.errors import DataError
from segmentation.system.files import jsonable

CHECK = "check.py"
NUMBERS = st.floats() | st.integers() | st.booleans() | st.none() | st.text()

RUN_MISSING = (
    "run is not set. Type run=<value>. run is a run directory, a checkpoint or a model directory."
)


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

    assert jsonable(Own()) == {"path": "a/b", "numbers": [1.5, None], "one": 3}


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (object(), "a object"), (datetime.date(2024, 2, 29), "a date"), (b"bytes", "a bytes"),
        (bytearray(b"bytes"), "a bytearray"), (pd.DataFrame({"a": [1]}), "a DataFrame"),
        (pd.Series([1]), "a Series"),
    ],
)  # fmt: skip
def test_what_json_has_no_word_for_is_refused(value, what):
    with pytest.raises(TypeError, match=f"^{what} is not JSON serializable"):
        jsonable({"deep": [value]})
    assert jsonable(pd.DataFrame({"a": [1]}).to_dict("records")) == [{"a": 1}]


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

    assert in_process(["a=1"], act, capsys) == ("hello\n", "")


def test_the_flag_is_taken_out_so_that_ranks_and_jobs_do_not_see_it(capsys):
    arguments = ["-m", "--json", "a=1"]

    def act(document):
        document.result = {"a": 1}
        print("hello")

    printed = in_process(arguments, act, capsys)
    assert arguments == ["-m", "a=1"]
    assert (json.loads(printed.out), printed.err) == ({"a": 1}, "hello\n")


def test_further_ranks_print_no_document(capsys, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    printed = in_process(["--json"], lambda _: print("hello"), capsys)
    assert printed == ("", "hello\n")


QUESTIONS = [
    "--help", "-h", "--hel", "--hydra-help", "--hy", "--version", "--v", "--cfg job", "--cfg=job",
    "-c job", "-cjob", "--cf all", "--info", "-i", "-i plugins", "-iplugins", "--inf", "-sc",
    "--sh", "-mh", "-mcjob", "encoder=vgg16 -rc hydra",
]  # fmt: skip
NONE = ["", "-m", "-cn other", "-cp conf", "--config-dir=x", "--c job", "-c typo", "-p a", "a=-h"]


@pytest.mark.parametrize("typed", QUESTIONS)
def test_what_hydra_answers_stays_text(typed, capsys):
    with json_output(["--json", *typed.split()], asks_hydra):
        print("an answer")
    assert capsys.readouterr() == ("an answer\n", "")


@pytest.mark.parametrize("typed", NONE)
def test_anything_else_is_no_question(typed):
    assert not asks_hydra(typed.split())


@pytest.mark.parametrize("asks", ["--help", "--hel", "--h", "-h"])
def test_fetching_answers_in_text_too(asks, capsys):
    with pytest.raises(SystemExit, match="0"):
        fetch(["camvid", asks, "--json"])
    assert capsys.readouterr().out.startswith("usage: ")


def test_the_name_of_a_command_is_no_question(tmp_path):
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import evaluate; evaluate.evaluate()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--json"], cwd=tmp_path, capture_output=True, text=True
    )  # argv[0] is "-c"
    assert json.loads(done.stdout) == {"error": RUN_MISSING}


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
        (failing(SystemExit("no such luck")), {"error": "no such luck"}),
        (failing(SystemExit("no such luck"), {"a": 1}), {"error": "no such luck", "a": 1}),
        (failing(KeyboardInterrupt()), {"error": "interrupted"}),
        (failing(ValueError("a defect"), object()), {"error": "ValueError: a defect"}),
    ],
)
def test_how_a_command_ends(act, expected, capsys):
    with pytest.raises((Exception, SystemExit, KeyboardInterrupt)):
        in_process(["--json"], act, capsys)
    assert json.loads(capsys.readouterr().out) == expected


def cyclic():
    value = {}
    value["itself"] = [value]
    return value


class Broken:
    def to_json(self):
        raise OSError("gone")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (datetime.date(2024, 2, 29), "TypeError: a date is not JSON serializable"),
        (cyclic(), "RecursionError: maximum recursion depth exceeded"),
        (Broken(), "OSError: gone"),
    ],
)
def test_a_result_that_cannot_be_said_is_an_error(value, message, capsys):
    def act(document):
        document.result = {"value": value}

    with pytest.raises((TypeError, RecursionError, OSError)):  # the exit code says it too
        in_process(["--json"], act, capsys)
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["error"]
    assert found["error"].startswith(message)


WAITING = """
import signal, sys, time
from segmentation.cli.json_output import json_output
with json_output(sys.argv[1:]) as document:
    if "own" in sys.argv:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("own"))
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["--json"], 143, {"error": "stopped by SIGTERM"}),
        (["--json", "own"], 1, {"error": "own"}),  # as a training has it
        ([], -signal.SIGTERM, None),
    ],
)
def test_sigterm(arguments, code, expected, tmp_path):
    (tmp_path / "waiting.py").write_text(WAITING)
    child = subprocess.Popen(
        [sys.executable, tmp_path / "waiting.py", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = child.stderr if arguments else child.stdout
    assert said.readline() == "ready\n"
    child.terminate()
    printed, _ = child.communicate(timeout=30)
    assert child.returncode == code
    assert (json.loads(printed) if printed else None) == expected


def test_handlers_are_put_back(capsys):
    before = signal.getsignal(signal.SIGTERM)
    in_process(["--json"], lambda _: None, capsys)
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_error_says_what_was_done_all_the_same(capsys):
    error = DataError("one image cannot be read")
    error.partial = {"written": [Path("a.png")]}
    with pytest.raises(DataError):
        in_process(["--json"], failing(error), capsys)
    assert json.loads(capsys.readouterr().out) == {
        "error": "one image cannot be read", "written": ["a.png"],
    }  # fmt: skip


def test_a_check_is_what_check_json_says_and_keeps_its_exit_code(tmp_path):
    root = fake_camvid(tmp_path / "data", {"train": 4, "val": 3})
    arguments = [
        "data=camvid",
        f"data.root={root}",
        f"output={tmp_path}/out",
        "data.batch_size=2",
        "--json",
    ]
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
        "preview.py", "data=camvid", f"data.root={root}", "images=1", "draws=1",
        f"output={tmp_path}/sheet.png", "--json",
    )  # fmt: skip
    assert json.loads(result.stdout) == {"output": f"{tmp_path}/sheet.png"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate.py"], RUN_MISSING),
        (["train.py", "encoder=resnet43"], "encoder has no option 'resnet43'."),
        (["train.py", "-m", "data=camvid", "data.root=nowhere", "resume=auto"], "resume= and"),
    ],
)
def test_a_mistake_is_a_document_too(arguments, message, tmp_path):
    result = run(*arguments, f"hydra.sweep.dir={tmp_path}", "--json")
    assert result.returncode == 1
    assert message in json.loads(result.stdout)["error"]
    assert message in result.stderr


def previews(tmp_path, *arguments):
    root = fake_camvid(tmp_path / "data", {"train": 4, "val": 3})
    return run(
        "preview.py", "-m", "data=camvid", f"data.root={root}", "images=1",
        "draws=1", f"hydra.sweep.dir={tmp_path}/jobs", "--json", *arguments,
    )  # fmt: skip


@pytest.mark.parametrize("names", [["a.png"], ["a.png", "b.png"]])
def test_several_jobs_are_a_list_however_many(names, tmp_path):
    outputs = [f"{tmp_path}/{name}" for name in names]
    result = previews(tmp_path, f"output={','.join(outputs)}")
    assert result.returncode == 0
    assert json.loads(result.stdout) == [{"output": one} for one in outputs]


def test_results_are_kept_when_another_job_fails(tmp_path):
    outputs = [f"{tmp_path}/{name}" for name in ("a.png", "b.typo", "c.png")]
    result = previews(tmp_path, f"output={','.join(outputs)}")
    message = f"output={outputs[1]}: give the picture a suffix such as .png or .jpg."
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert json.loads(result.stdout) == {
        "error": message,
        "results": [{"output": outputs[0]}, {"error": message}, {"output": outputs[2]}],
    }


def test_a_typo_is_found_before_the_first_of_several_jobs(tmp_path):
    result = previews(tmp_path, f"output={tmp_path}/a.png", "augment=none,typo")
    found = json.loads(result.stdout)
    assert list(found) == ["error"]
    assert found["error"].startswith("augment has no option 'typo'.")
    assert not (tmp_path / "a.png").exists()


def test_a_comparison_that_is_refused_is_a_document(tmp_path):
    result = run("compare.py", f"runs=[{tmp_path}/a,{tmp_path}/b]", "--json")
    assert result.returncode == 1
    assert f"{tmp_path}/a" in json.loads(result.stdout)["error"]


def test_fetching(tmp_path, capsys):
    assert fetch(["cityscapes", "--to", str(tmp_path), "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"].startswith("no Cityscapes in ")
    assert "register" in printed.err


NOISY = """
import atexit, ctypes, os, subprocess, sys
from segmentation.cli.json_output import json_output
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
