"""The arguments of a class are read from its source, as inspect finds them."""

import inspect
import re
from typing import get_args

import pytest
from hydra._internal.utils import _locate
from lightning_fabric.connector import _PRECISION_INPUT_STR, _PRECISION_INPUT_STR_ALIAS

from segmentation.build import trainer_options
from segmentation.cli import signatures
from segmentation.config import CONF
from segmentation.inference.options import PRECISIONS

TARGETS = {
    target
    for path in CONF.rglob("*.yaml")
    for target in re.findall(r"_target_: *([\w.]+)", path.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_the_arguments_of_every_class_of_conf_are_those_that_inspect_finds(target):
    parameters = inspect.signature(_locate(target)).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    expected = [item.name for item in parameters if item.kind in named]
    assert list(signatures.arguments_of(target)) == expected


def test_nothing_of_lightning_and_torch_is_imported_for_them():
    heavy = [target for target in TARGETS if target.startswith(("pytorch_lightning", "torch"))]
    assert len(heavy) > 4
    for target in heavy:
        assert signatures._read(target), target


def test_a_signature_that_the_source_does_not_show_is_imported():
    target = "segmentation.classes.Entry"  # a dataclass
    assert signatures._read(target) is None
    assert list(signatures.arguments_of(target)) == list(
        inspect.signature(_locate(target)).parameters
    )
    assert signatures.arguments_of("segmentation.nowhere.Nothing") == {}
    assert signatures.arguments_of(None) == {}


def test_names_of_precisions_are_those_of_lightning():
    lightnings = {*get_args(_PRECISION_INPUT_STR), *get_args(_PRECISION_INPUT_STR_ALIAS)}
    assert set(trainer_options.PRECISIONS) == lightnings
    assert set(PRECISIONS) <= lightnings
