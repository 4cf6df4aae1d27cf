import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from fakes import LABELS, fake_camvid
from made_datasets import made
from PIL import Image

from segmentation.classes import Entry
from segmentation.data.check import check_dataset
from segmentation.data.check.finding import Example, Finding, Item
from segmentation.data.discovery.scanned_dataset import scan_dataset
from segmentation.data.discovery.splits import find_splits
from segmentation.data.masks.labels import Labels
from segmentation.report.check.facts import facts
from segmentation.report.check.page import CASES, write_check
from segmentation.report.check.terminal import show_check
from segmentation.report.check.thumbnails import UNKNOWN, colored

HOSTILE = "<img src=x onerror=alert(1)>&'\" é"


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def report(root, tmp_path):
    """Return the facts about a data set and its page."""
    source = scan_dataset(root, find_splits(root), "camvid")
    found = check_dataset(source)
    known = facts(source, found, "camvid", root)
    write_check(tmp_path / "check.html", source, found, known)
    return known, (tmp_path / "check.html").read_text(encoding="utf-8")


@pytest.fixture
def copied(tmp_path):
    """A data set with more copies in val than are shown, one of them with a hostile name."""
    root = fake_camvid(tmp_path / "data", {"train": CASES + 3, "val": 2})
    for index in range(CASES + 3):
        name = HOSTILE if index == 0 else f"copy_{index}"
        for folder in ("", "annot"):
            original = root / f"train{folder}" / f"train_{index:03d}.png"
            (root / f"val{folder}" / f"{name}.png").write_bytes(original.read_bytes())
    return root


def test_facts_are_json_and_say_all(copied, tmp_path):
    known, _ = report(copied, tmp_path)
    known = json.loads(json.dumps(known))
    assert set(known) == {
        "data", "root", "found", "table", "summary", "training", "class_table", "counts", "splits",
        "findings",
    }  # fmt: skip
    assert known["counts"] == {"error": 1, "warning": 0, "note": 0}
    train = known["splits"]["train"]
    assert (train["images"], train["usable"]) == (15, 15)
    assert train["sizes"] == [{"height": 48, "width": 64, "images": 15}]
    assert set(train["brightness"]) == {"min", "median", "max"}
    masks = [np.asarray(Image.open(path)) for path in (copied / "trainannot").iterdir()]
    assert train["void"] == pytest.approx(np.mean([mask == 11 for mask in masks]))
    labelled = sum((mask != 11).sum() for mask in masks)
    for index, name in enumerate(LABELS.classes.names):
        there = [(mask == index).sum() for mask in masks]
        assert train["classes"][name] == {
            "share": pytest.approx(sum(there) / labelled),
            "pixels": sum(there),
            "images": sum(count > 0 for count in there),
            "rare": False,
        }
    (found,) = known["findings"]
    assert set(found) == {"level", "kind", "message", "examples"}
    assert len(found["examples"]) == CASES + 3
    item = {"split": "val", "name": HOSTILE, "image": f"val/{HOSTILE}.png",
            "mask": f"valannot/{HOSTILE}.png"}  # fmt: skip
    assert found["examples"][0]["items"][1] == item


def test_file_names_are_text_and_nothing_else(copied, tmp_path):
    page = Tags(report(copied, tmp_path)[1])
    assert HOSTILE in page.text
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object", "form"})
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert all(re.match(r"data:image/(jpeg|png);base64,", source) for source in sources)
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")


def test_a_bounded_number_of_pictures(copied, tmp_path):
    page = Tags(report(copied, tmp_path)[1])
    assert sum(tag == "img" for tag, _ in page.tags) == CASES * 2 * 2  # pairs of image and mask
    assert "and 3 more, listed in check.json" in page.text


def test_every_policy_forbids_the_network(tmp_path):
    _, page = report(fake_camvid(tmp_path / "data"), tmp_path)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert "default-src 'none'" in policy
    assert "No problems found." in page


def test_sizes_are_drawn_as_they_need_it(tmp_path):
    root = fake_camvid(tmp_path / "data")
    assert "Every image is 48 pixels high and 64 wide." in report(root, tmp_path)[1]
    fake_camvid(root, {"val": 3}, size=(40, 64), seed=1)
    assert "40 x 64" in report(root, tmp_path)[1]
    for index in range(20):
        fake_camvid(root, {"test": index + 1}, size=(40 + index, 64), seed=index)
        for folder in ("", "annot"):
            path = root / f"test{folder}" / f"test_{index:03d}.png"
            path.rename(path.with_name(f"size_{index}.png"))
    assert "height in pixels" in report(root, tmp_path)[1]


def test_what_cannot_be_read_is_said_in_place_of_its_picture(tmp_path):
    root = fake_camvid(tmp_path / "data")
    (root / "train" / "train_001.png").write_text("no image")
    page = Tags(report(root, tmp_path)[1])
    assert "train_001.png cannot be read" in page.text
    assert sum(tag == "img" for tag, _ in page.tags) == 1  # the mask beside it


def test_a_data_set_without_one_readable_pair_still_has_its_page(tmp_path):
    root = fake_camvid(tmp_path / "data", {"train": 1, "val": 1})
    for split in ("train", "val"):
        (root / split / f"{split}_000.png").write_text("no image")
    known, page = report(root, tmp_path)
    assert known["splits"]["train"]["usable"] == 0
    assert known["splits"]["train"]["brightness"] is None
    assert "2 pairs that cannot be used" in page


def test_masks_in_colours_and_what_the_table_does_not_have(tmp_path):
    table = [Entry("a", (10, 20, 30), 1), Entry("nothing", (9, 9, 9), 5, void=True)]
    Image.fromarray(np.uint8([[1, 5, 7]])).save(tmp_path / "index.png")
    Image.fromarray(np.uint8([[[10, 20, 30], [9, 9, 9], [1, 1, 1]]])).save(tmp_path / "colour.png")
    expected = [[[10, 20, 30], [0, 0, 0], list(UNKNOWN)]]
    assert colored(tmp_path / "index.png", Labels(table)).tolist() == expected
    assert colored(tmp_path / "colour.png", Labels(table)).tolist() == expected
    colours_only = Labels([Entry("a", (10, 20, 30))])
    assert colored(tmp_path / "index.png", colours_only).tolist() == [[list(UNKNOWN)] * 3]


def test_the_terminal_shows_splits_classes_and_findings(capsys):
    source = made(train=3, val=(2, {"problem": ["", "gone"]}))
    odd = Item("val", "\udcff[bold]")  # bytes that are no text, and what rich takes for markup
    found = [Finding("warning", "blank", f"see {odd.name}", (Example((odd,)),))]
    show_check(facts(source, found, "mine", source.samples["train"][0].image.parent), found)
    printed = capsys.readouterr().out
    assert re.search(r"usable images\s+│\s+3\s+│\s+1", printed)
    assert re.search(r"Car\s+│\s+9\.1%\s+│\s+9\.1%", printed)
    assert "warning: see \\udcff[bold]" in printed
