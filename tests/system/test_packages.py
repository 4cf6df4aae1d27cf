"""A missing package is named with the extra that installs it."""

import sys
import tomllib

import pytest
from conftest import ROOT
from packaging.requirements import Requirement

from segmentation.errors import ConfigError
from segmentation.system.packages import EXTRAS, explain_missing, require_extra


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    require_extra("mlflow", "logger=mlflow")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(
        ConfigError,
        match=r"^logger=mlflow needs mlflow, which is not installed\. "
        r"Type pip install 'cityseg\[mlflow\]'\.$",
    ):
        require_extra("mlflow", "logger=mlflow")


def test_all_missing_packages_of_an_extra_are_named(monkeypatch):
    assert explain_missing("report", "evaluate") is None
    for name in ("arch", "plotly"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "evaluate needs arch, plotly, which are not installed" in (
        explain_missing("report", "evaluate") or ""
    )


def test_the_extras_are_those_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    own = {name: [Requirement(line).name for line in lines] for name, lines in extras.items()}
    launchers = {"sweep", "ray"}
    assert set(own) == {*EXTRAS, *launchers, "all", "dev"}
    for extra, modules in EXTRAS.items():
        assert set(modules) == set(own[extra])
    assert Requirement(extras["all"][0]).extras == {*EXTRAS, *launchers}
    assert "cityseg[all]" in extras["dev"]
    base = {Requirement(line).name for line in project["dependencies"]}
    assert base.isdisjoint({name for names in own.values() for name in names})
