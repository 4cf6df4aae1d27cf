"""What the message says of an option that is missing or that the shell has divided."""

import re

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException

from segmentation.cli.messages import explain, missing_message
from segmentation.config import CONF


@pytest.mark.parametrize("word", ["runs=[runs/a,", "data.draw.counts={train:1,", "a=[[1,2],"])
def test_a_list_that_the_shell_has_divided(word):
    with pytest.raises(OverrideParseException) as error:
        OverridesParser.create().parse_overrides([word])
    message = explain(error.value, "compare", composed=False)
    assert message == (
        f"cannot read {word!r}: its brackets do not close. Type no spaces between values, or "
        "quotes around the whole, as in 'key=[a, b]'."
    )


def test_every_required_option_of_a_command_says_what_it_is():
    required = [
        (path.stem, key)
        for path in CONF.glob("*.yaml")
        for key in re.findall(r"^(\w+): \?\?\?", path.read_text(), re.M)
    ]
    assert len(required) >= 5
    for command, key in required:
        assert f" {key} is a" in missing_message([key], command), (command, key)


@pytest.mark.parametrize(
    ("data", "meaning"),
    [
        ("folder", "data.root is a folder of images and masks."),
        ("camvid", "fetch.py camvid` downloads it."),
        ("cityscapes", "data.root is the folder of leftImg8bit/ and gtFine/."),
    ],
)
def test_the_folder_of_the_data_is_that_of_their_option(data, meaning):
    assert missing_message(["data.root"], "train", data).endswith(meaning)


def test_several_missing_options_are_named_together():
    message = missing_message(["input", "output"], "predict")
    assert message.startswith(
        "input, output are not set. Type input=<value> output=<value>. input is an image or video; "
    )
    assert " output is a folder for the masks" in message
