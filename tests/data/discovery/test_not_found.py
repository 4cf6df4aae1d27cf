import pytest

from segmentation.data.discovery.not_found import SHOWN, explain


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


CASES = {
    "nothing": ([], "There are no images (bmp"),
    "an archive": (["data.zip"], "no images, but archives: unpack data.zip"),
    "jpeg masks": (
        ["images/a.jpg", "masks/a.jpg", "masks/b.jpeg"],
        "masks/ holds 2 JPEG files: JPEG changes labels",
    ),
    "case": (["images/IMG_1.jpg", "masks/img_1.png"], "names differ in case (IMG_1 / img_1)"),
    "prefixes": (["images/image_01.jpg", "masks/mask_1.png"], "(image_01 / mask_1)"),
    "endings": (["images/7_rgb.jpg", "labels/7_m.png"], "(7_rgb / 7_m)"),
    "a folder's name": (
        ["pictures/a.jpg", "pictures/b.jpg", "masks/a.png", "masks/b.png"],
        "have 2 names in common, but pictures/ is no name that folders of images have",
    ),
    "apart": (
        ["one/images/a.jpg", "two/masks/a.png"],
        "have 1 names in common, but do not lie side by side: move both into one folder",
    ),
    "other names": (["images/a.png", "masks/b.png"], "share no name: a / b"),
    "images alone": (["photos/a.png", "photos/b.png"], "There are 2 images in photos/, and no"),
}


def test_jpeg_masks_are_all_that_is_wrong_where_the_names_are_right(tmp_path):
    touch(tmp_path, "images/a.jpg", "masks/a.jpg", "train/images/b.jpg", "train/labels/b.jpg")
    text = explain(tmp_path)
    assert text.count("JPEG changes labels") == 2
    for other in ("rename", "in common", "share no name", "side by side"):
        assert other not in text


@pytest.mark.parametrize("case", list(CASES))
def test_why(tmp_path, case):
    files, reason = CASES[case]
    touch(tmp_path, *files)
    text = explain(tmp_path)
    assert reason in text
    assert f"no images with masks were found in {tmp_path}" in text
    assert "data.pairs=" in text


def test_what_lies_there_is_shown_with_counts(tmp_path):
    touch(tmp_path, *(f"a/b/{n}.png" for n in range(3)), "a/b/notes.TXT", ".hidden/x.png", "c/raw")
    lines = explain(tmp_path).splitlines()
    assert [line.strip() for line in lines[1:4]] == [
        "./  no files", "a/b/  3 .png, 1 .txt", "c/  1 no suffix",
    ]  # fmt: skip


def test_a_large_folder_stays_a_short_message(tmp_path, monkeypatch):
    monkeypatch.setattr("segmentation.data.discovery.not_found.MOST_FILES", 100)
    touch(tmp_path, *(f"{n:03}/x.dat" for n in range(200)))
    text = explain(tmp_path)
    assert len(text.splitlines()) < SHOWN + 8
    assert "the first 100 files" in text


def test_many_folders_are_compared_in_few_lines(tmp_path):
    for number in range(12):
        touch(tmp_path, f"rgb/{number}/a{number}.png", f"masks/{number}/b{number}.png")
    assert sum("share no name" in line for line in explain(tmp_path).splitlines()) == 3
