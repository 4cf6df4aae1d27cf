"""Commands that are printed can be typed: through a shell, then through Hydra."""

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segmentation.console import WORDS, argument, quoted, show_trace
from segmentation.errors import ConfigError

SPECIAL = "'\"~,={}[]()$\\:;@#%&*?|!+-./<> \t0123_eéäß日🌍"
ANY = st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\n\r")
TEXT = st.text(st.sampled_from(SPECIAL) | ANY)
SCALAR = TEXT | st.booleans() | st.none() | st.integers() | st.floats(allow_nan=False)
KEY = st.from_regex(r"[a-z_][a-z0-9_-]*", fullmatch=True).filter(lambda key: key not in WORDS)


def read(word):
    """Read a word with Hydra's own parser; return its value."""
    (override,) = OverridesParser.create().parse_overrides([word])
    assert override.key_or_group == "task.targets.values"
    assert not override.is_sweep_override()
    return override.value()


@settings(max_examples=2000)
@given(TEXT)
@example("true")
@example("NaN")
@example("1e3")
@example("1:30")
@example("\\")
@example("a\\'b\\\\")
@example("~/camvid")
@example("/data/a~b")
@example("${seed}")
@example("../runs/one")
def test_hydra_reads_any_text_that_was_written(text):
    written = quoted(text)
    value = read(f"task.targets.values={written}")
    assert (value, type(value)) == (text, str)
    assert written == text or written.startswith("'")


@settings(max_examples=300)
@given(SCALAR | st.lists(SCALAR, max_size=3) | st.dictionaries(KEY, SCALAR, max_size=3))
@example({"name": "hf-hub:a/b", "size": [1, 2.5], "on": True})
@example(["a,b", "[c]", "é 1"])
def test_there_and_back(value):
    (typed,) = shlex.split(argument("task.targets.values", value))
    assert read(typed) == value


@given(st.text(ANY, max_size=5), st.sampled_from("\n\r"), st.text(ANY, max_size=5))
def test_line_breaks_are_refused(before, line_break, after):
    with pytest.raises(ConfigError, match="has a line break: values are one line"):
        quoted(before + line_break + after)


@pytest.mark.parametrize("key", ["", "a:b", "true", "é", "a~b", "1"])
def test_a_key_that_hydra_cannot_express_is_refused(key):
    with pytest.raises(ConfigError, match="cannot read the key"):
        quoted({key: 1})


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        (["arousal", "valence"], "'values=[arousal,valence]'"),
        ("/data/camvid_2", "values=/data/camvid_2"),
        ("../runs/2026-01-01", "values=../runs/2026-01-01"),
        ((16, 8), "'values=[16,8]'"),
        ("a b", """'values='"'"'a b'"'"''"""),
    ],
)
def test_what_needs_no_quotation_marks_has_none(value, typed):
    assert argument("values", value) == typed


def test_a_stack_trace_is_printed_without_credentials(capsys):
    try:
        raise RuntimeError("https://me:p/w@host/x?access_token=abc failed")
    except RuntimeError as error:
        show_trace(type(error), error, error.__traceback__)
    printed = capsys.readouterr().err
    assert printed.startswith("Traceback (most recent call last):\n")
    assert printed.endswith("RuntimeError: https://***@host/x?access_token=*** failed\n")
