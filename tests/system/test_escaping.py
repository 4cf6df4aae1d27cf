"""Names that others chose are text in every file that people open."""

import csv
import shlex

import pandas as pd
import pytest

from segmentation.commands.publish.public_command import public_command
from segmentation.evaluation.comparison.tables import to_csv, to_latex, to_markdown
from segmentation.system.escaping import csv_cell, markdown
from segmentation.system.files import write_csv

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
