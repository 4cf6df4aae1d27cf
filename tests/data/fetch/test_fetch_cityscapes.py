"""What the command says of Cityscapes, on miniatures with the official names."""

from pathlib import Path

import pytest

from segmentation.commands.fetch import main
from segmentation.data.fetch import cityscapes

COUNTS = {"train": 5, "val": 3, "test": 2}
CITIES = {"train": ("ulm", "aachen"), "val": ("frankfurt",), "test": ("bonn",)}


def frame(split: str, index: int) -> tuple[str, str]:
    city = CITIES[split][index % len(CITIES[split])]
    name = f"{city}/{city}_{index:06}_000019"
    return (
        f"leftImg8bit/{split}/{name}_leftImg8bit.png",
        f"gtFine/{split}/{name}_gtFine_labelIds.png",
    )


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cityscapes, "COUNTS", COUNTS)
    root = tmp_path / "my cityscapes"
    for split, count in COUNTS.items():
        for index in range(count):
            for path in frame(split, index):
                file = root / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(b"png")
            (root / frame(split, index)[1].replace("labelIds", "color")).write_bytes(b"png")
    return root


def test_the_official_counts():
    assert cityscapes.COUNTS == {"train": 2975, "val": 500, "test": 1525}


def test_complete(root, capsys):
    assert main(["cityscapes", "--to", str(root)]) == 0
    out = capsys.readouterr().out
    assert "train  5 images, 5 masks\nval    3 images, 3 masks\ntest   2 images" in out
    assert "python train.py data=cityscapes 'data.root=" in out
    assert "register" not in out


def test_test_needs_no_masks(root):
    for index in range(COUNTS["test"]):
        (root / frame("test", index)[1]).unlink()
    assert main(["cityscapes", "--to", str(root)]) == 0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda image, mask: image.unlink(), "train: 4 images in place of 5, 1 masks without an"),
        (lambda image, mask: mask.unlink(), "train: 1 images without a mask (ulm/ulm_000000_000"),
        (lambda image, mask: mask.write_bytes(b""), "train: 1 empty files (ulm_000000_000019_gt"),
        (lambda image, mask: image.rename(image.with_name("x_leftImg8bit.png")), "(ulm/x)"),
    ],
)
def test_what_is_wrong_is_named(root, capsys, spoil, message):
    spoil(*(root / path for path in frame("train", 0)))
    assert main(["cityscapes", "--to", str(root)]) == 1
    shown = capsys.readouterr()
    assert "csDownload -d" in shown.out
    assert message in shown.err
    assert "val" not in shown.err.replace("trainvaltest", "")


def test_nothing_there(tmp_path, capsys):
    assert main(["cityscapes", "--to", str(tmp_path / "none")]) == 1
    shown = capsys.readouterr()
    assert "https://www.cityscapes-dataset.com/register/" in shown.out
    assert shown.err.startswith("error: no Cityscapes in")


def test_not_unpacked(tmp_path, capsys):
    (tmp_path / "gtFine_trainvaltest.zip").write_bytes(b"zip")
    assert main(["cityscapes", "--to", str(tmp_path)]) == 1
    assert "Unpack the packages there: gtFine_trainvaltest.zip." in capsys.readouterr().err


def test_one_folder_deeper(root, capsys):
    assert main(["cityscapes", "--to", str(root.parent)]) == 1
    assert f"one folder deeper: --to '{root}'." in capsys.readouterr().err
