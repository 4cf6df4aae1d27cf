"""What is read back is plain data: no interpolation, no alias, bounded size and depth."""

import contextlib
import datetime
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.system.plain_data import MAX_DEPTH, MAX_YAML_BYTES, check_plain, load_yaml

BOMB = "a0: &a0 [1, 1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
MERGED = "x: &x {a: 1}\n" + "y: &y {<<: [*x, *x]}\n"


def test_yaml_is_read_as_hydra_reads_it():
    text = "lr: 1e-5\nday: 2026-11-28\non: yes\nnone:\nnested: {a: [1, 2.5]}\n"
    assert load_yaml(text) == {
        "lr": 1e-5, "day": "2026-11-28", True: True, "none": None, "nested": {"a": [1, 2.5]}
    }  # fmt: skip
    assert load_yaml("name: no", yaml.BaseLoader) == {"name": "no"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, r"an alias \(\*name\), which is not read: write its value in line 2"),
        (MERGED, r"an alias .* in line 2"),
        ("a: &a [*a]", "an alias"),
        ("[" * 5000, f"more than {MAX_DEPTH} levels in line 1"),
        ("- " * 5000, f"more than {MAX_DEPTH} levels in line 1"),
        ("a" * (MAX_YAML_BYTES + 1), "larger than 262,144 bytes"),
        ("a: " + "9" * 5000, "4300"),
        ("a: !!python/object/apply:os.system [true]", "could not determine a constructor"),
        ("a: {a: 1, a: 2}", "found duplicate key a in line 1"),
        ("a: !!int ''", "IndexError"),
        ("a: [1", "expected ',' or ']'"),
        ("a: \0", "#x0000"),
    ],
)
def test_yaml_that_is_refused(text, reason):
    began = time.monotonic()
    with pytest.raises(ValueError, match=reason):
        load_yaml(text)
    assert time.monotonic() - began < 10


def shared_lists(levels):
    values = [1, 1]
    for _ in range(levels):
        values = [values, values]
    return {"a": values}


def nested(levels):
    values = 1
    for _ in range(levels):
        values = {"a": values}
    return values


def cyclic():
    values = {}
    values["a"] = values
    return values


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"data": {"root": "${oc.env:HOME}"}}, r"data\.root holds the interpolation '\$\{oc"),
        ({"a": ["x", r"\\${hydra:runtime.cwd}"]}, r"a\[1\] holds the interpolation"),
        ({"a": {"${b}": 1}}, "a holds the interpolation"),
        (shared_lists(40), "more than 1,000,000 values"),
        (nested(MAX_DEPTH + 1), f"more than {MAX_DEPTH} levels"),
        (cyclic(), f"more than {MAX_DEPTH} levels"),
        ({"a": datetime.date(2026, 1, 1)}, "a is a date"),
        ({"a": {"b": Path("x")}}, r"a\.b is a PosixPath"),
        ({"a": {(1, 2): 1}}, "a has a tuple as a key"),
        ({"a": 2**100}, "a is a number of 101 bits"),
        (b"x", "it is a bytes"),
    ],
)  # fmt: skip
def test_values_that_are_refused(values, reason):
    with pytest.raises(ValueError, match=reason):
        check_plain(values)


scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text()


def lists_and_mappings(children):
    return st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3)


plain = st.recursive(scalars, lists_and_mappings, max_leaves=10)


@given(plain)
@settings(max_examples=200, deadline=None)
def test_plain_values_pass_unless_a_text_would_be_resolved(values):
    if "${" in repr(values):
        return
    check_plain(values)


@given(st.text(alphabet="{}[]:,-&*!?|>'\"%@`#\n\t ab1.~$<\0\ud7ff", max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused_with_a_reason(text):
    with contextlib.suppress(ValueError):
        load_yaml(text)
