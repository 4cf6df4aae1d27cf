"""The Python of README.md and docs/prediction.md runs as it stands, on the shipped model."""

import re

import pytest
from conftest import ROOT
from PIL import Image

from segmentation.inference.predictor import DEFAULT

BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize(("page", "least"), [("README.md", 1), ("docs/prediction.md", 3)])
def test_the_python_of_a_page_runs(page, least, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.radial_gradient("L").resize((160, 120)).convert("RGB").save("street.jpg")
    blocks = BLOCK.findall((ROOT / page).read_text())
    assert len(blocks) >= least
    names: dict = {}
    for block in blocks:
        if "Predictor" in block or "predictor" in names:
            exec(block.replace("<run>", DEFAULT), names)
    assert names["predictor"].classes.names[0] == "Sky"
    with Image.open("mask.png") as mask:
        assert mask.size == (160, 120)
