import pytest
from fakes import fake_camvid
from hypothesis import given
from hypothesis import strategies as st

from segmentation.data.discovery import groups
from segmentation.data.discovery.folds import divide
from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.splits import check_paired, find_splits
from segmentation.errors import ConfigError, DataError


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def flat(root, names):
    for name in names:
        touch(root, f"images/{name}.jpg", f"masks/{name}.png")
    return root


def names_of(splits):
    return {split: [sample.name for sample in rows] for split, rows in splits.samples.items()}


def test_folders_that_name_the_splits_are_followed(tmp_path):
    found = find_splits(fake_camvid(tmp_path, {"train": 3, "val": 2, "test": 1}))
    assert {split: len(rows) for split, rows in found.samples.items()} == {
        "train": 3, "val": 2, "test": 1,
    }  # fmt: skip
    assert "taken" not in found.description


def test_the_tutorials_lists_choose_and_only_their_last_two_parts_count(tmp_path):
    root = fake_camvid(tmp_path)
    (root / "train.txt").write_text(
        "/SegNet/CamVid/train/train_004.png /SegNet/CamVid/trainannot/train_004.png\n\n"
        "train/train_001.png trainannot/train_001.png\n"
    )
    assert names_of(find_splits(root))["train"] == ["train_004", "train_001"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("val/val_000.png\n", "line 1: expected two paths"),
        ("val/val_000.png valannot/val_000.png\n" * 2, "line 2: val_000 is listed twice"),
    ],
)
def test_bad_lists(tmp_path, text, message):
    root = fake_camvid(tmp_path)
    (root / "val.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        find_splits(root)


def test_without_splits_they_are_made_the_same_way_every_time(tmp_path, caplog):
    root = flat(tmp_path, [f"{number:03d}" for number in range(100)])
    found = names_of(find_splits(root))
    assert {split: len(names) for split, names in found.items()} == {
        "train": 70, "val": 15, "test": 15,
    }  # fmt: skip
    assert "drawn at random by name" in caplog.text
    assert names_of(find_splits(root)) == found
    assert found["val"] != sorted(name for names in found.values() for name in names)[:15]


def test_a_missing_val_is_taken_from_train_and_test_stays(tmp_path):
    root = fake_camvid(tmp_path, {"train": 20, "test": 5})
    found = find_splits(root)
    assert {split: len(rows) for split, rows in found.samples.items()} == {
        "train": 17, "val": 3, "test": 5,
    }  # fmt: skip
    assert "val taken from it" in found.description


def test_neighbouring_frames_stay_together(tmp_path, caplog):
    root = flat(tmp_path, [f"clip{k}_{frame}" for k in range(12) for frame in range(5)])
    found = find_splits(root, group="^(.*?)_")
    clips = {split: {name.split("_")[0] for name in names}
             for split, names in names_of(found).items()}  # fmt: skip
    assert sum(map(len, clips.values())) == 12
    assert not set.intersection(clips["train"], clips["val"])
    assert len(clips["val"]) == len(clips["test"]) == 2
    assert "by data.group" in found.description
    assert "at random by name" not in caplog.text


@given(
    groups=st.lists(st.integers(1, 9), min_size=3, max_size=30),
    shares=st.tuples(st.floats(0.05, 0.4), st.floats(0.05, 0.4)),
)
def test_divide_keeps_every_sample_once_and_groups_whole(groups, shares):
    samples = [
        Sample(f"{group}/{number}", None, None, f"g{group}")
        for group, size in enumerate(groups)
        for number in range(size)
    ]
    splits = divide(samples, dict(zip(("val", "test"), shares, strict=True)))
    assert sorted(s.name for rows in splits.values() for s in rows) == sorted(
        s.name for s in samples
    )
    assert all(splits.values())
    homes = [{sample.group for sample in rows} for rows in splits.values()]
    assert sum(map(len, homes)) == len(groups)


def test_too_few_groups(tmp_path):
    root = flat(tmp_path, ["a_1", "a_2"])
    with pytest.raises(DataError, match="1 groups of images cannot fill 3 splits"):
        find_splits(root, group="^(.*?)_")


def test_two_groups_leave_none_to_test(tmp_path):
    root = flat(tmp_path, ["a_1", "a_2", "b_1"])
    assert set(find_splits(root, group="^(.*?)_").samples) == {"train", "val"}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "invalid regular"),
        ("(" * 5000, "invalid regular"),
        ("a", "needs parentheses"),
        ("^(x)", "no group in 4 of 4"),
        ("^(x?)", "no group in 4 of 4"),
    ],
)
def test_bad_patterns(tmp_path, pattern, message):
    with pytest.raises(ConfigError, match=message):
        find_splits(flat(tmp_path, "abcd"), group=pattern)


def test_a_pattern_that_backtracks_for_years(tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "SEARCH_SECONDS", 1)
    with pytest.raises(ConfigError, match=r"not found in 1 names within 1 s: it backtracks"):
        find_splits(flat(tmp_path, ["a" * 60]), group="^((a+)+)_")


def test_a_table_of_pairs(tmp_path):
    touch(tmp_path, "x/one.jpg", "y/einz.png", "x/zwei.jpg", "y/two.png", "x/3.jpg", "y/3.png")
    table = tmp_path / "pairs.csv"
    table.write_text(
        "\ufeffimage,mask,split,note\nx/one.jpg,y/einz.png,Train,\n"
        '"x/zwei.jpg",y/two.png,val,"a, b"\nx/3.jpg,y/3.png,test,\n'
    )
    found = find_splits(tmp_path, pairs=table)
    assert names_of(found) == {"train": ["x/one"], "val": ["x/zwei"], "test": ["x/3"]}
    assert found.samples["val"][0].mask == tmp_path / "y/two.png"


def test_a_column_can_name_the_groups(tmp_path):
    rows = [f"i{k}.png,m{k}.png,day{k // 4}" for k in range(20)]
    touch(tmp_path, *(f"{kind}{k}.png" for kind in "im" for k in range(20)))
    table = tmp_path / "pairs.csv"
    table.write_text("\n".join(["image,mask,day", *rows]))
    samples = find_splits(tmp_path, pairs=table, group="day").samples
    homes = [{sample.group for sample in rows} for rows in samples.values()]
    assert set.union(*homes) == {f"day{k}" for k in range(5)}
    assert sum(map(len, homes)) == 5
    table.write_text(table.read_text().replace("day\n", "group\n", 1))
    samples = find_splits(tmp_path, pairs=table)
    assert "by data.group" in samples.description
    by_pattern = find_splits(tmp_path, pairs=table, group=r"^i(\d)").samples
    assert {sample.group for rows in by_pattern.values() for sample in rows} == set("0123456789")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("picture,mask\n", r"no column 'image' \(it has picture, mask\)"),
        ("image,maske\n", r"no column 'mask'.*mean 'maske'"),
        ("image,mask\n", "lists no pairs"),
        ("image,mask\na.png,a.png\na.png,a.png\n", r"line 3: a\.png is listed twice"),
        ("image,mask,split\na.png,a.png,dye\n", "line 2: split 'dye' is not one of"),
        ("image,mask,split\na.png,a.png,train\nb.png,a.png,\n", "some rows name a split and 1"),
        ('image,mask\n"a.png,a.png\n', "invalid CSV"),
    ],
)
def test_bad_tables_of_pairs(tmp_path, text, message):
    touch(tmp_path, "a.png", "b.png")
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        find_splits(tmp_path, pairs=tmp_path / "pairs.csv")


def test_images_without_a_mask_stop_or_are_left_out(tmp_path, caplog):
    touch(flat(tmp_path, [str(k) for k in range(9)]), "images/extra.png", "masks/lone.png")
    found = find_splits(tmp_path)
    with pytest.raises(DataError, match=r"no mask for 1 .*: extra\.png.*data\.on_error=skip"):
        check_paired(found, skip=False)
    check_paired(found, skip=True)
    assert "1 masks have no image: lone.png" in caplog.text
    assert "1 images without a mask are left out: extra.png" in caplog.text


def voc(root, listed=True):
    """VOC with masks for some images, boxes beside them and lists."""
    touch(root, *(f"JPEGImages/{name}.jpg" for name in "abcdef"))
    touch(root, *(f"SegmentationClass/{name}.png" for name in "abcd"))
    touch(root, "Annotations/a.xml")
    if listed:
        folder = root / "ImageSets" / "Segmentation"
        folder.mkdir(parents=True)
        (folder / "train.txt").write_text("b\na\n")
        (folder / "val.txt").write_text("c\ne\n")


def test_vocs_lists_are_the_splits(tmp_path, caplog):
    voc(tmp_path)
    found = find_splits(tmp_path)
    names = {split: [one.name for one in rows] for split, rows in found.samples.items()}
    assert names == {"train": ["a", "b"], "val": ["c"]}
    assert not found.unpaired_images
    assert "2 images without a mask left out; splits from" in found.description
    assert "1 images in no list left out" in found.description
    assert "1 lines of" in caplog.text
    assert "such as e" in caplog.text


def test_lists_do_not_replace_folders_of_splits(tmp_path):
    for split, name in (("train", "a"), ("val", "b")):
        touch(tmp_path, f"{split}/images/{name}.png", f"{split}/masks/{name}.png")
    (tmp_path / "train.txt").write_text("b\n")
    assert [one.name for one in find_splits(tmp_path).samples["train"]] == ["a"]


@pytest.mark.parametrize("word", ["validation", "Valid", "dev", "val"])
def test_a_column_may_say_a_split_by_any_of_its_names(tmp_path, word):
    touch(tmp_path, "a.png", "b.png")
    rows = ["image,mask,split", "a.png,a.png,training", f"b.png,b.png,{word}"]
    (tmp_path / "p.csv").write_text("\n".join(rows))
    assert list(find_splits(tmp_path, tmp_path / "p.csv").samples) == ["train", "val"]
