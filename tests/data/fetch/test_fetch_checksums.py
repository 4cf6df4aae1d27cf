"""The list of CamVid's files, and lists that cannot be trusted."""

import random

import pytest

from segmentation.data.fetch.camvid import CAMVID, fetch
from segmentation.data.fetch.checksums import compare, read_checksums
from segmentation.data.fetch.download import RemoteDataset
from segmentation.errors import DataError


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{'a' * 64}  ../evil.png", "leads out"),
        (f"{'a' * 64}  train/../../evil.png", "leads out"),
        (f"{'a' * 64}  /etc/evil.png", "leads out"),
        (f"{'a' * 64}  C:evil.png", "leads out"),
        (f"{'a' * 64}  train\\..\\evil.png", "leads out"),
        (f"{'a' * 63}  train/1.png", "is not a SHA-256"),
        (f"{'a' * 64}  train/0.png\n{'a' * 64}  ./train/0.png", "twice"),
    ],
)
def test_a_list_that_cannot_be_trusted_is_refused(tmp_path, line, message):
    listing = tmp_path / "list.sha256"
    listing.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=message):
        fetch(tmp_path / "data" / "camvid", RemoteDataset(listing, "http://127.0.0.1:1", largest=1))
    assert not (tmp_path / "data").exists()


def test_the_list_names_the_whole_of_camvid():
    listed = read_checksums(CAMVID.checksums)
    counts = {"train": 367, "val": 101, "test": 233}
    for split, count in counts.items():
        images = {path.split("/")[1] for path in listed if path.startswith(f"{split}/")}
        masks = {path.split("/")[1] for path in listed if path.startswith(f"{split}annot/")}
        assert len(images) == count
        assert images == masks
    assert len(listed) == 2 * sum(counts.values())


def test_real_camvid_agrees_with_the_list(camvid_root):
    listed = read_checksums(CAMVID.checksums)
    here = [path for path in listed if not path.startswith("test")]
    chosen = random.Random(0).sample(here, 20)
    assert compare(camvid_root, {path: listed[path] for path in chosen}) == ([], [])
