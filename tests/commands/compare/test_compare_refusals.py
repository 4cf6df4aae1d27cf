"""What `compare.py` refuses, and what it says to type instead."""

import pytest
from comparing import encoder, pair, refused, typed  # noqa: F401
from made_runs import confusion, names, settings, write_begun, write_run, write_scoring


def test_nothing_or_two_things_to_compare_are_refused(pair, tmp_path):  # noqa: F811
    for arguments in ((), (typed(pair), f"sweep={tmp_path}")):
        assert "name what to compare, in one of two ways. Type runs=" in refused(*arguments)
    assert "runs=[]" in refused("runs=[]")
    assert "no run" in refused(f"runs=[{tmp_path / 'none'}]")


def test_folders_that_are_no_sweep_are_refused(pair, tmp_path):  # noqa: F811
    said = refused(f"sweep={tmp_path}")
    assert "is not a sweep: it has no jobs. For a folder of runs type" in said
    assert f"{tmp_path}/*" in said
    assert "there is no such directory" in refused(f"sweep={tmp_path / 'none'}")


def test_a_run_is_named_once(pair, tmp_path):  # noqa: F811
    assert "is named twice" in refused(typed([pair[0], pair[0]]))
    again = f"{tmp_path}/two/../one"
    assert "are the same run" in refused(typed([pair[0], again]))
    copy = write_run(tmp_path / "copy", encoder("vgg16"), 0.2)
    assert "have the same settings, the same seed and the same predictions" in refused(
        typed([*pair, copy])
    )


def test_runs_that_are_not_finished_or_not_scored_alike_are_refused(pair, tmp_path):  # noqa: F811
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
def test_scores_that_cannot_be_compared_are_refused(pair, tmp_path, facts, reason):  # noqa: F811
    other = write_begun(tmp_path / "other", encoder("vgg11"))
    write_scoring(other, facts.pop("matrices", confusion(0.0)), seconds=1.0, **facts)
    assert reason in refused(typed([pair[0], other]), f"output={tmp_path / 'out'}")


def test_images_with_other_contents_are_refused(tmp_path):
    runs = [
        write_run(tmp_path / name, encoder(name), data_fingerprint=name)
        for name in ("vgg11", "vgg13")
    ]
    assert "the files' contents differ" in refused(typed(runs), f"output={tmp_path / 'out'}")


@pytest.mark.parametrize("file", ["config.yaml", "environment.json"])
def test_damaged_files_are_refused(pair, file):  # noqa: F811
    (pair[0] / file).write_text("{a: [")
    said = refused(typed(pair))
    assert file in said
    assert "is damaged: " in said


def test_files_that_are_nested_too_deeply_are_refused(pair):  # noqa: F811
    (pair[0] / "environment.json").write_text("[" * 10**5)
    assert "is damaged: maximum recursion" in refused(typed(pair))


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
def test_wrong_options_are_refused(pair, tmp_path, argument, reason):  # noqa: F811
    assert reason in refused(typed(pair), f"output={tmp_path / 'out'}", argument)


def test_an_unknown_option_gets_a_hint():
    assert "there is no option 'rums'. Did you mean 'runs'?" in refused("rums=x")
