from dataclasses import replace

import numpy as np
import pytest
from fakes import fake_camvid
from PIL import Image

from segmentation.classes import CAMVID, CITYSCAPES
from segmentation.data.discovery.pairs import PHOTOS
from segmentation.data.discovery.scanned_dataset import scan_dataset, select_usable
from segmentation.data.discovery.splits import find_splits
from segmentation.data.masks.labels import write_table
from segmentation.errors import ConfigError, DataError


def source_of(root, classes="camvid", **options):
    return scan_dataset(root, find_splits(root), classes, **options)


def test_a_table_that_is_not_there_is_proposed_written_and_then_read(tmp_path):
    root = fake_camvid(tmp_path)
    first = source_of(root, None)
    assert "a guess from the masks" in first.table
    assert f"written to {root / 'classes.yaml'}" in first.table
    text = (root / "classes.yaml").read_text()
    (root / "classes.yaml").write_text(text.replace("class_0", "heaven"))
    again = source_of(root, None)
    assert again.labels.classes.names[0] == "heaven"
    assert again.table == str(root / "classes.yaml")


def test_a_guess_is_announced_until_its_line_is_taken_out(tmp_path, caplog):
    root = fake_camvid(tmp_path)
    source_of(root, None)
    assert "a guess from the masks: indices 0-11. Classes: class_0" in caplog.text
    caplog.clear()
    source_of(root, None)
    assert "classes.yaml is a guess from indices 0-11" in caplog.text
    table = root / "classes.yaml"
    first, *rest = table.read_text().splitlines(keepends=True)
    assert first.startswith("# guessed from indices 0-11")
    table.write_text("".join(rest))
    caplog.clear()
    source_of(root, None)
    assert caplog.text == ""


@pytest.mark.parametrize("classes", [None, "each-value"], ids=["names", "a typed reading"])
def test_masks_are_counted_once_for_a_table_that_is_written_nowhere(
    tmp_path, monkeypatch, caplog, classes
):
    root = fake_camvid(tmp_path)
    (root / "classes.txt").write_text("\n".join(f"name {number}" for number in range(14)))
    first = source_of(root, classes)
    said = caplog.text
    caplog.clear()
    module = "segmentation.data.discovery.class_table"
    monkeypatch.setattr(f"{module}.write_table", lambda *_: pytest.fail("written"))
    monkeypatch.setattr(f"{module}.propose_table", lambda *_: pytest.fail("counted again"))
    (root / "classes.yaml").unlink(missing_ok=True)
    if classes is None:  # twelve of fourteen names have a value, which is a doubt
        assert "is taken for 0" in said
        monkeypatch.setattr(f"{module}.write_table", lambda *_: None)
    again = source_of(root, classes)
    assert again.labels.table == first.labels.table
    assert caplog.text.count("WARNING") == said.count("WARNING")
    path = root / "trainannot" / "train_000.png"
    Image.fromarray(np.full((48, 64), 13, np.uint8)).save(path)
    with pytest.raises(pytest.fail.Exception, match="counted again"):
        source_of(root, classes)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"table": [{}]}', '{"table": 3}'])
def test_a_damaged_count_is_made_again(tmp_path, monkeypatch, content):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = fake_camvid(tmp_path)
    first = source_of(root, "each-value").labels.table
    (kept,) = (tmp_path / "cache" / "cityseg" / "tables").iterdir()
    kept.write_text(content)
    assert source_of(root, "each-value").labels.table == first


def test_a_mask_above_the_limit_of_its_images_is_not_guessed_from(tmp_path):
    root = fake_camvid(tmp_path)
    small, large = (replace(PHOTOS, max_pixels=pixels) for pixels in (48 * 64 - 1, 48 * 64))
    assert len(source_of(root, "each-value", reader=large).labels.classes) == 12
    with pytest.raises(DataError, match="more than"):
        source_of(root, "each-value", reader=small)


def test_doubts_are_said_and_a_typed_reading_is_no_guess(tmp_path, caplog):
    root = fake_camvid(tmp_path)
    mask = np.array(Image.open(root / "trainannot" / "train_000.png"))
    mask[5, 5] = 77
    Image.fromarray(mask).save(root / "trainannot" / "train_000.png")
    source = source_of(root, "each-value")
    assert "class_77" in source.labels.classes.names
    assert not (root / "classes.yaml").exists()
    assert caplog.text == ""
    source_of(root, None)
    assert "value 77 (" in caplog.text
    assert "train_000.png" in caplog.text


def test_a_table_is_proposed_from_every_split(tmp_path):
    root = fake_camvid(tmp_path)
    for folder in ("trainannot", "testannot"):
        for path in (root / folder).iterdir():
            Image.fromarray(np.zeros((48, 64), np.uint8)).save(path)
    found = find_splits(root)
    train = {"train": found.samples.pop("train")}
    scan_dataset(root, replace(found, samples=train, unselected=found.samples))
    assert len(select_usable(source_of(root, None), "stop").scans) == 3


def test_missing_files_are_left_out_as_well(tmp_path):
    root = fake_camvid(tmp_path)
    (root / "val.txt").write_text(
        "val/gone.png valannot/gone.png\nval/val_000.png valannot/val_000.png\n"
    )
    with pytest.raises(DataError, match=r"gone\.png does not exist"):
        select_usable(source_of(root), "stop")
    assert [one.name for one in select_usable(source_of(root), "skip").samples["val"]] == [
        "val_000"
    ]


def test_what_unknown_makes_void_is_said(tmp_path, caplog):
    root = fake_camvid(tmp_path)
    path = root / "trainannot" / "train_000.png"
    mask = np.array(Image.open(path))
    mask[:12] = 99
    Image.fromarray(mask).save(path)
    select_usable(source_of(root, unknown="void"), "stop")
    assert "4.2% of the train split's pixels, in 1 images, have values outside" in caplog.text


def test_a_read_only_folder_gets_its_table_elsewhere(tmp_path, monkeypatch):
    root = fake_camvid(tmp_path / "data")
    real = write_table

    def refuse(path, table, guess):
        if path.parent == root:
            raise PermissionError
        real(path, table)

    monkeypatch.setattr("segmentation.data.discovery.class_table.write_table", refuse)
    assert (
        "written to " + str(tmp_path / "classes.yaml")
        in source_of(root, None, fallback=tmp_path).table
    )
    assert "not written" in source_of(root, None).table


def test_a_table_of_ones_own(tmp_path):
    root = fake_camvid(tmp_path)
    write_table(tmp_path / "mine.yaml", CAMVID[:3] + CAMVID[11:])
    found = source_of(root, str(tmp_path / "mine.yaml"), unknown="void")
    assert found.labels.classes.names == ("Sky", "Building", "Pole")
    with pytest.raises(DataError, match="12 of 12 pairs cannot be used"):
        select_usable(source_of(root, str(tmp_path / "mine.yaml")), "stop")
    with pytest.raises(ConfigError, match=r"'camvd' is neither a table .*mean 'camvid'"):
        source_of(root, "camvd")


def test_bad_files_stop_or_are_left_out_everywhere(tmp_path, caplog):
    root = fake_camvid(tmp_path)
    for name in ("train/train_002.png", "valannot/val_001.png"):
        (root / name).write_bytes(b"")
    source = source_of(root)
    with pytest.raises(DataError, match=r"2 of 12 pairs cannot be used.*skip") as error:
        select_usable(source, "stop")
    assert "train_002.png cannot be read" in str(error.value)
    found = select_usable(source, "skip")
    assert "2 of 12 pairs are left out" in caplog.text
    assert {split: len(rows) for split, rows in found.samples.items()} == {
        "train": 5, "val": 2, "test": 3,
    }  # fmt: skip
    assert "train_002" not in [sample.name for sample in found.samples["train"]]
    assert [len(scan) for scan in found.scans.values()] == [5, 2, 3]
    with pytest.raises(ConfigError, match=r"data\.on_error=stop or skip"):
        select_usable(source, "ignore")


def test_a_split_of_which_nothing_is_left(tmp_path):
    root = fake_camvid(tmp_path, {"train": 1, "val": 1})
    (root / "val" / "val_000.png").write_bytes(b"")
    with pytest.raises(DataError, match="no pair of the val split"):
        select_usable(source_of(root), "skip")


def test_a_test_split_of_nothing_but_void_is_left_out(tmp_path, caplog):
    root = fake_camvid(tmp_path)
    for path in (root / "testannot").iterdir():
        Image.fromarray(np.full((48, 64), 11, np.uint8)).save(path)
    assert set(select_usable(source_of(root), "stop").scans) == {"train", "val"}
    assert "every pixel of the test split is void" in caplog.text


def test_cityscapes_in_both_encodings(tmp_path):
    ids = np.array([[entry.index for entry in CITYSCAPES]], dtype=np.uint8)
    trained = [entry.index for entry in CITYSCAPES if not entry.void]
    train_ids = np.array([[trained.index(i) if i in trained else 255 for i in ids[0]]], np.uint8)
    names = []
    for folder, mask in (("ids", ids), ("train", train_ids)):
        kind = "labelIds" if folder == "ids" else "labelTrainIds"
        for split in ("train", "val"):
            for part, array, ending in (
                ("leftImg8bit", np.zeros((*mask.shape, 3), np.uint8), "leftImg8bit"),
                ("gtFine", mask, f"gtFine_{kind}"),
            ):
                place = tmp_path / folder / part / split / "ulm"
                place.mkdir(parents=True)
                Image.fromarray(array).save(place / f"x_{ending}.png")
        source = source_of(tmp_path / folder, "cityscapes")
        assert source.samples["val"][0].name == "ulm/x"
        np.testing.assert_array_equal(source.scans["val"].pixels, np.ones((1, 19)))
        names.append(source.labels.classes)
        as_camvid = source_of(tmp_path / folder, "camvid12").scans["val"].pixels[0]
        assert as_camvid.sum() == (26 if folder == "ids" else 19)
    assert names[0] == names[1]
