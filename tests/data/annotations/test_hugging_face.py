import csv
import json
import sys

import numpy as np
import pytest
from annotated import found, write, write_images
from PIL import Image

from segmentation.errors import ConfigError, DataError


def folder(root, rows, form="jsonl"):
    """Write an image folder as the documentation of `datasets` has it."""
    for row in rows:
        write_images(root / "train", row["file_name"])
        for key in ("mask_file_name", "depth_file_name"):
            if key in row:
                path = root / "train" / row[key]
                path.parent.mkdir(exist_ok=True)
                Image.fromarray(np.eye(12, 16, dtype=np.uint8)).save(path)
    path = root / "train" / f"metadata.{form}"
    if form == "jsonl":
        return write(path, "".join(json.dumps(row) + "\n" for row in rows))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


ROWS = [{"file_name": f"{k}.png", "depth_file_name": f"depth/d{k}.png",
         "mask_file_name": f"masks/m{k}.png"} for k in range(3)]  # fmt: skip


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_the_masks_of_an_image_folder(tmp_path, form):
    folder(tmp_path, ROWS, form)
    splits = found(tmp_path)
    pairs = [(one.image.name, one.mask.name) for one in splits.samples["train"]]
    assert pairs == [("0.png", "m0.png"), ("1.png", "m1.png"), ("2.png", "m2.png")]
    assert splits.table is None
    assert splits.description.startswith("Hugging Face image folder: 1 metadata file, 3 images")


def test_rows_without_files_and_paths_outside(tmp_path, caplog):
    path = folder(tmp_path, ROWS[:1])
    Image.new("L", (4, 4)).save(tmp_path / "outside.png")
    rows = [*ROWS[:2], {"file_name": "../outside.png", "mask_file_name": "masks/m0.png"}]
    write(path, "".join(json.dumps(row) + "\n" for row in rows))
    assert len(found(tmp_path).samples["train"]) == 1
    assert "2 of 3 images are not there and left out: 1.png, ../outside.png" in caplog.text


def test_invalid_rows(tmp_path):
    path = folder(tmp_path, ROWS)
    path.write_text(path.read_text() + "{broken\n")
    with pytest.raises(DataError, match=r"metadata\.jsonl is invalid"):
        found(tmp_path)


def parquet(root, **columns):
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    root.mkdir(exist_ok=True)
    pq.write_table(arrow.table(columns), root / "train-00000-of-00001.parquet")
    return root


def png(value=0):
    from io import BytesIO

    file = BytesIO()
    Image.new("L", (8, 6), value).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def test_the_other_of_two_columns(tmp_path):
    root = parquet(tmp_path / "d", image=[png(), png(1)], truth=[png(), png(2)])
    splits = found(root)
    assert [one.name for one in splits.samples["train"]] == ["000000", "000001"]
    assert "2 images of the columns image and truth, unpacked in" in splits.description


def test_rows_without_pictures_stop_or_are_left_out(tmp_path, caplog):
    root = parquet(tmp_path / "d", image=[png(), {"bytes": b"x", "path": None}, png()],
                   label=[png(), png(), {"bytes": None, "path": None}])  # fmt: skip
    with pytest.raises(DataError, match="2 of 3 annotated images cannot be used"):
        found(root)
    assert len(found(root, skip=True).samples["train"]) == 1


def test_columns_without_masks(tmp_path):
    root = parquet(tmp_path / "d", image=[png()], label=[3])
    with pytest.raises(DataError, match=r"no columns of images and masks \(columns: image, label"):
        found(root)


def test_damaged_files(tmp_path):
    pytest.importorskip("pyarrow")
    write(tmp_path / "train.parquet", "no parquet")
    with pytest.raises(DataError, match=r"train\.parquet cannot be read"):
        found(tmp_path)


def test_without_pyarrow_it_says_what_to_type(tmp_path, monkeypatch):
    write(tmp_path / "train.parquet", "anything")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"pip install 'cityseg\[parquet\]'"):
        found(tmp_path)


def test_two_metadata_files_of_a_split(tmp_path):
    for part in ("p", "q"):
        write_images(tmp_path / "train" / part, "1.png")
        Image.new("L", (16, 12)).save(tmp_path / "train" / part / "m.png")
        write(tmp_path / "train" / part / "metadata.csv", "file_name,mask\n1.png,m.png\n")
    assert [one.name for one in found(tmp_path).samples["train"]] == ["p/1", "q/1"]


def test_two_images_of_one_name(tmp_path):
    path = folder(tmp_path, ROWS[:1])
    path.write_text(path.read_text() * 2)
    with pytest.raises(DataError, match=r"lists train/0\.png after train/0\.png: samples of one"):
        found(tmp_path)


def test_names_that_no_file_can_have(tmp_path, caplog):
    path = folder(tmp_path, ROWS[:1])
    for name in ("x" * 300, "nul\0"):
        row = {"file_name": f"{name}.png", "mask_file_name": "masks/m0.png"}
        path.write_text(path.read_text() + json.dumps(row) + "\n")
    assert len(found(tmp_path).samples["train"]) == 1
    assert "2 of 3 images are not there" in caplog.text
