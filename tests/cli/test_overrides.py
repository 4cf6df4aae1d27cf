"""The words of a command line reach Hydra as they were meant."""

import os

import pytest
from commands import run
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from segmentation.cli.overrides import flags_first, readable, sweeps
from segmentation.config import user_path
from segmentation.errors import ConfigError

HOME = os.path.expanduser("~")


def values(word, several=True):
    """Return the values that Hydra reads from a word as typed."""
    override = OverridesParser.create().parse_override(readable(word, several))
    if not override.is_sweep_override():
        return [override.value()]
    return [
        OverridesParser.create().parse_override(f"key={text}").value()
        for text in override.sweep_string_iterator()
    ]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("a/epoch=1.ckpt,b/epoch=3.ckpt", ["a/epoch=1.ckpt", "b/epoch=3.ckpt"]),
        ("a/epoch=1.ckpt,b/last.ckpt", ["a/epoch=1.ckpt", "b/last.ckpt"]),
        ("choice(a/epoch=1.ckpt,b/epoch=3.ckpt)", ["a/epoch=1.ckpt", "b/epoch=3.ckpt"]),
        ("a=1.ckpt,'b,c=2.ckpt'", ["a=1.ckpt", "b,c=2.ckpt"]),
        ("'a,b',c", ["a,b", "c"]),
        ("a b, c=d", ["a b", "c=d"]),
        ("[a=1,b],[c]", [["a=1", "b"], ["c"]]),
        ("[64,64],[128,128]", [[64, 64], [128, 128]]),
        ("^(a,b)_", ["^(a,b)_"]),
        ("range(0,3)", [0, 1, 2]),
        ("~/a,/b/~c", [f"{HOME}/a", "/b/~c"]),
        ("choice(~/a,~/b)", [f"{HOME}/a", f"{HOME}/b"]),
        ("[~/a,~/b]", [[f"{HOME}/a", f"{HOME}/b"]]),
        ("[a,']',~/x]", [["a", "]", f"{HOME}/x"]]),
        ("{root:~/a,size:[1,2]}", [{"root": f"{HOME}/a", "size": [1, 2]}]),
        ("null,none,1e-3", [None, "none", 0.001]),
    ],
)
def test_commas_separate_the_values_of_a_sweep(value, read):
    assert values(f"k={value}") == read


def test_without_a_sweep_commas_belong_to_a_value_that_hydra_cannot_read():
    assert values("k={stem}_1.tif,{stem}_2.tif", several=False) == ["{stem}_1.tif,{stem}_2.tif"]
    assert values("k=~/a,b", several=False) == [f"{HOME}/a,b"]


@pytest.mark.parametrize("word", ["k=[a", "k='a", "k=choice(a", "k=range(1=2)", "k={a:b", "k=a\nb"])
def test_broken_grammar_is_left_to_hydra(word):
    assert readable(word) == readable(word, several=True) == word


CHARACTERS = st.characters(codec="utf-8", exclude_characters=",'\"()[]{}\n\r\\")
TEXT = st.text(st.sampled_from("ab~/=.$ é-@0_:#^") | CHARACTERS, min_size=1)


@given(st.lists(TEXT.filter(lambda text: text.strip(" \t")), min_size=1))
def test_as_many_values_are_read_as_were_typed(texts):
    assert len(values(f"k={','.join(texts)}")) == len(texts)


@pytest.mark.parametrize(
    ("words", "sweep"),
    [
        (["-m", "seed=1"], True),
        (["seed=1", "--multirun"], True),
        (["--multi"], True),
        (["hydra.mode=MULTIRUN"], True),
        (["seed=1,2"], False),
        (["--"], False),
    ],
)
def test_a_sweep_is_known_by_its_words(words, sweep):
    assert sweeps(words) == sweep


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("data.root=2024", "2024"),
        ("run=1_000", "1_000"),
        ("output=1e3", "1e3"),
        ("resume=true", "true"),
        ("runs=[2024,a,1.50]", ["2024", "a", "1.50"]),
        ("data.pairs=null", None),
        ("data.root='5'", "5"),
    ],
)
def test_a_path_that_looks_like_a_number_stays_as_it_was_typed(word, value):
    assert OverridesParser.create().parse_override(readable(word)).value() == value


def test_paths_of_a_sweep_that_look_like_numbers_stay_as_they_were_typed():
    override = OverridesParser.create().parse_override(readable("data.root=01,2", several=True))
    assert list(override.sweep_string_iterator()) == ["01", "'2'"]


def test_flags_may_stand_anywhere():
    words = ["seed=0", "-m", "a=1,2", "--config-dir", "x", "b=3"]
    assert flags_first(words) == ["-m", "--config-dir", "x", "seed=0", "a=1,2", "b=3"]
    assert flags_first(["a=1", "--no-flag", "b=2"]) == ["a=1", "--no-flag", "b=2"]


def test_home_directories_that_the_shell_left_are_expanded():
    result = run(
        "train.py", "data.root=~/cam vid", "encoder.weights=~/w.pth", "hydra.run.dir=~/r",
        "--cfg", "all",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    config = OmegaConf.create(result.stdout)
    assert config.data.root == f"{HOME}/cam vid"
    assert config.encoder.weights == f"{HOME}/w.pth"
    assert config.hydra.run.dir == f"{HOME}/r"
    assert readable("--config-dir=~/conf") == f"--config-dir={HOME}/conf"


def test_a_home_of_nobody_is_an_error_and_a_name_with_a_tilde_is_none():
    assert readable("data.root=~nobody_at_all/x") == "data.root='~nobody_at_all/x'"
    with pytest.raises(ConfigError, match="Type the whole path"):
        user_path("~nobody_at_all/x")
    assert str(user_path("./~root")) == "~root"
    assert user_path("~/x").is_absolute()


def test_line_breaks_in_values_are_refused():
    result = run("check.py", "data=folder", "data.root=a\nb")
    assert result.returncode == 1
    assert "has a line break: values are one line" in result.stderr
    assert "Traceback" not in result.stderr
