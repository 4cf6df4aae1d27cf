"""Commands that are printed can be typed: through a shell, then through Hydra."""

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from segmentation.console import argument

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1)


PLAIN = TEXT | st.booleans() | st.none() | st.integers() | st.floats(allow_nan=False)


@given(value=PLAIN | st.lists(PLAIN, max_size=3))
@example({"name": "hf-hub:a/b", "size": [1, 2.5], "on": True})
@example("true")
@example("NaN")
@example("1e3")
@example("1:30")
@example("\\")
@example("a\\'b\\\\")
@example(["a,b", "[c]", "é 1"])
@example("../runs/one")
def test_there_and_back(value):
    (typed,) = shlex.split(argument("task.targets.values", value))
    (override,) = OverridesParser.create().parse_overrides([typed])
    assert override.key_or_group == "task.targets.values"
    assert override.value() == value


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
