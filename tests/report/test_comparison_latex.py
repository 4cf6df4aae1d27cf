"""comparison.tex is compiled by LaTeX, with names that LaTeX would read as commands."""

import shutil
import subprocess

import pytest
from made_evaluations import make_comparison

from segmentation.evaluation.comparison.tables import Compared
from segmentation.report.comparison_files import write_tables

DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs}
\begin{document}
\input{comparison.tex}
\end{document}
"""


def has_latex():
    found = shutil.which("pdflatex") and shutil.which("kpsewhich")
    return found and subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).stdout


@pytest.mark.slow
@pytest.mark.skipif(not has_latex(), reason="pdflatex or its package booktabs is not installed")
@pytest.mark.parametrize("seeds", [(2, 2, 1), (1,)])
def test_latex_compiles(tmp_path, seeds):
    comparison, contenders = make_comparison(tmp_path, seeds=seeds)  # names have < and >
    compared = Compared("val_100%", comparison, contenders, [])
    write_tables(tmp_path, compared)
    (tmp_path / "paper.tex").write_text(DOCUMENT)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (tmp_path / "paper.log").read_text(errors="replace")
