"""Names that others chose are text in every file that people open."""

import csv
import io
import logging
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import segmentation
from segmentation.commands.publish.public_command import public_command
from segmentation.console import PlainConsole, show_error
from segmentation.evaluation.comparison.tables import to_csv, to_latex, to_markdown
from segmentation.report.terminal.table import text_table
from segmentation.system.escaping import csv_cell, csv_text, markdown, printable
from segmentation.system.files import write_csv
from segmentation.system.redaction import RedactingFormatter

FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", '=HYPERLINK("http://x")']


@pytest.mark.parametrize("text", FORMULAS)
def test_a_cell_is_no_formula(tmp_path, text):
    assert csv_cell(text) == f"'{text}"
    write_csv(tmp_path / "a.csv", {"image": [text], text: ["x"]})
    frame = pd.DataFrame({"class": [text], text: ["x"]})
    for written in ((tmp_path / "a.csv").read_text(), to_csv(frame)):
        for row in csv.reader(written.splitlines()):
            assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in row)


@pytest.mark.parametrize("value", ["-1", "-0.5", "+3", "-1e-05", "-inf", "road", "", -1.5, 3, None])
def test_numbers_and_names_stay(value):
    assert csv_cell(value) == value


@given(st.text() | st.text(alphabet="'=+-@1.\t\n", max_size=6))
@settings(max_examples=500, deadline=None)
def test_a_cell_is_read_as_the_text_that_it_was(text):
    assert csv_text(csv_cell(text)) == text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\x1b[31mb\x1b]8;;http://x\x07", r"a\x1b[31mb\x1b]8;;http://x\x07"),
        ("road\rbuilding\b", r"road\rbuilding\x08"),
        ("\x9b2J \x7f", r"\x9b2J \x7f"),
        ("gnp.\u202eexe", r"gnp.\u202eexe"),
        ("a\udcff.png", r"a\udcff.png"),
        ("ä 路\n\tb [red] :smile:", "ä 路\n\tb [red] :smile:"),
    ],
)
def test_nothing_moves_the_cursor_or_hides(text, seen, capsys):
    assert printable(text) == seen
    show_error(text)
    assert capsys.readouterr().err == f"error: {seen}\n"
    record = logging.LogRecord("x", 30, "f", 1, "see %s", (text,), None)
    assert RedactingFormatter("%(message)s").format(record) == f"see {seen}"
    console = PlainConsole()
    console.file = io.StringIO()
    console.width = 99
    console.print(text_table(text, {text: [text], "b": [text]}))
    console.print(text, text)
    printed = console.file.getvalue()
    assert printable(printed) == printed
    assert printed.count(seen.partition("\n")[0].rstrip()) == 6


def test_all_that_rich_prints_goes_through_the_plain_console():
    folder = Path(segmentation.__file__).parent
    makers = [
        path.name
        for path in folder.rglob("*.py")
        if re.search(r"rich\.console import .*\bConsole\b|rich import", path.read_text())
    ]
    assert sorted(makers) == ["console.py", "table.py"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", r"\<script\>alert(1)\</script\>"),
        ("![x](http://evil/a.png)", r"!\[x\](http://evil/a.png)"),
        ("a | b\n\n# c", r"a \| b \# c"),
        ("`a` **b** _c_ ~~d~~ $e$", r"\`a\` \*\*b\*\* \_c\_ \~\~d\~\~ \$e\$"),
        ("&lt;b&gt;", r"\&lt;b\&gt;"),
        ("camvid_resnet_50", "camvid_resnet_50"),
    ],
)
def test_markdown(text, shown):
    assert markdown(text) == shown
    table = to_markdown(pd.DataFrame({"name": [text], text: ["x"]}))
    assert table.count(shown) == 2
    assert len(table.splitlines()) == 3


def test_latex():
    text = "\\input{/etc/passwd} & 50% $x$ _ ^ ~ # {\n\\end{tabular}"
    table = to_latex(pd.DataFrame({"name": [text]}))
    assert "\\input" not in table
    assert table.count("\\end{tabular}") == 1
    assert len(table.splitlines()) == 7


@pytest.mark.parametrize(
    ("overrides", "data"),
    [
        (["data.root=/x"], "camvid>; touch EVIL; echo <"),
        (["$(touch EVIL)=<run>"], "camvid"),
        (["a;touch EVIL;b=<run>"], "camvid"),
        (["seed=1; touch EVIL"], "camvid"),
    ],
)
def test_a_command_that_is_copied_runs_nothing_else(overrides, data):
    words = shlex.split(public_command(overrides, data), posix=True)
    assert len(words) == 3
    assert "EVIL" in words[2]
    assert public_command(["data.root=/x"], "camvid") == "python train.py data.root=<camvid>"
