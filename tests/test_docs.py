"""What README.md and docs/ tell people to type exists: commands, options, files, links."""

import re
import shlex

import pytest
from conftest import ROOT
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from test_config import compose

from segmentation.cli.class_options import accept_class_options
from segmentation.cli.overrides import readable
from segmentation.config import CONF

PAGES = {path.name: path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
COMMAND = re.compile(
    r"(?:^|(?:^|\s)python )(train|evaluate|compare|predict|publish|export|check|preview)\.py (.*)"
)
BLOCK, INLINE = re.compile(r"```\w*\n(.*?)```", re.DOTALL), re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
OPTION = re.compile(r"'?([a-z_]+(?:\.[a-z_]+)+)=")
PATH = re.compile(r"(?:segmentation|conf|tests|benchmarks|docs)/[\w./]+\.\w+")


def text_of(page):
    """Return a page without its generated tables: they tell of commands of the past."""
    return re.sub(r"<!-- \[\[\[cog.*?\[\[\[end\]\]\] -->", "", page.read_text(), flags=re.DOTALL)


def codes(page):
    """Return the lines of the blocks of code, and the pieces of code within lines."""
    text = text_of(page)
    blocks = [block.replace("\\\n", " ").splitlines() for block in BLOCK.findall(text)]
    return [line for block in blocks for line in block] + INLINE.findall(BLOCK.sub("", text))


def commands(page):
    """Return the script and the overrides of each command of a page."""
    found = filter(None, map(COMMAND.search, codes(page)))
    return [(match[1], overrides(match[2])) for match in found if "..." not in match[2]]


def overrides(words):
    typed = shlex.split(re.sub(r"<[^>]*>", "x", words), comments=True)
    return [readable(word) for word in typed if "=" in word and not word.startswith("hydra.")]


@pytest.fixture(scope="module")
def known():
    """Return the configurations of each script; of train.py also those of groups that add keys."""
    configs = {
        script: [compose("data=folder", "data.root=x", script=script)]
        for script in ("check", "evaluate", "export", "preview")
    }
    configs |= {script: [compose(script=script)] for script in ("compare", "predict", "publish")}
    variants = [("data=folder", "data.root=x", "trainer=ddp"), ("sweep=search",)]
    return configs | {"train": [compose(*words) for words in variants]}


def node(cfg, key):
    """Return what a configuration holds at a key, null and what is missing too; else None."""
    for part in key.split("."):
        if not isinstance(cfg, DictConfig):
            return None
        cfg = cfg._get_node(part, validate_access=False)
    return cfg


def test_the_commands_were_found():
    assert len(PAGES) >= 8
    assert sum(len(commands(page)) for page in PAGES.values()) >= 35


@pytest.mark.parametrize("name", PAGES)
def test_commands_can_be_typed(name, known):
    for script, words in commands(PAGES[name]):
        for override in OverridesParser.create().parse_overrides(words):
            key, value = override.key_or_group, override.input_line.partition("=")[2]
            there = [node(cfg, key) for cfg in known[script]]
            if key == "experiment" or ((CONF / key).is_dir() and isinstance(there[0], DictConfig)):
                options = value.strip("[]").split(",")
                assert [o for o in options if not (CONF / key / f"{o}.yaml").exists()] == []
            else:
                assert any(found is not None for found in there), (script, key)


@pytest.mark.parametrize("name", PAGES)
def test_options_that_are_named_exist(name, known):
    keys = {match[1] for code in codes(PAGES[name]) for match in OPTION.finditer(code)}
    keys = {key for key in keys if not key.startswith("hydra.")}
    words = [f"{key}=1" for key in sorted(keys)]
    added = accept_class_options(["callbacks=[ema,early_stopping]", *words], "train")
    keys -= {word.strip("+").removesuffix("=1") for word in added if word.startswith("++")}
    assert {key for key in keys if all(node(cfg, key) is None for cfg in known["train"])} == set()


@pytest.mark.parametrize("name", PAGES)
def test_files_and_links_exist(name):
    page = PAGES[name]
    text = text_of(page)
    headings = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)", text, re.MULTILINE)
    }
    missing = {path for path in PATH.findall(text) if not (ROOT / path).exists()}
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, heading = link.partition("#")
        if "://" in link or (file and (page.parent / file).exists()):
            continue
        if file or heading not in headings:
            missing.add(link)
    assert missing == set()
