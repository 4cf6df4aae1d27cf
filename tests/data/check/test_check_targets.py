import pytest
from made_datasets import made, only

from segmentation.data.check.targets import check_targets, describe_targets, read_targets

CALM = {"train": ["calm"] * 4 + ["tense"] * 4, "val": ["calm", "tense"]}


def targets(tmp_path, columns, learnt=(), extra="", missing=()):
    """Return a data set of ten images, what its targets.csv says, and the findings."""
    source = made(train=8, val=2)
    lines = ["image," + ",".join(columns)]
    for split, samples in source.samples.items():
        for row, sample in enumerate(samples):
            if sample.name not in missing:
                cells = [str(own[split][row]) for own in columns.values()]
                lines.append(",".join([f"{split}/{sample.name}.png", *cells]))
    (tmp_path / "targets.csv").write_text("\n".join(lines) + "\n" + extra)
    found = read_targets(tmp_path, source, None)
    return found, list(check_targets(source, found, dict(learnt)))


def test_no_file(tmp_path):
    assert read_targets(tmp_path, made(train=8, val=2), None) is None


def test_targets_without_a_fault(tmp_path):
    numbers = {"train": range(8), "val": [3.5, ""]}
    found, findings = targets(tmp_path, {"mood": CALM, "level": numbers})
    assert findings == []
    told = describe_targets(found, {})
    assert "mood (categories calm 5, tense 5); level (numbers 0 to 7, 1 empty). Not learnt" in told
    told = describe_targets(found, {"mood": "category"})
    assert told.endswith("level (numbers 0 to 7, 1 empty, not learnt)")


@pytest.mark.parametrize(("learnt", "level"), [([], "note"), ([("mood", "category")], "warning")])
def test_images_without_a_row(tmp_path, learnt, level):
    _, findings = targets(tmp_path, {"mood": CALM}, learnt, missing=("train_003", "val_001"))
    found = only(findings)
    assert (found.level, found.kind) == (level, "targets-missing")
    assert "2 images without a row of targets (1 of 8 in train, 1 of 2 in val)" in found.message
    assert [one.items[0].name for one in found.examples] == ["train_003", "val_001"]


def test_rows_of_unknown_images(tmp_path):
    _, findings = targets(tmp_path, {"mood": CALM}, extra="train/nobody.png,calm\n")
    found = only(findings, "targets-strangers")
    assert "1 row of targets name images that are in no split: train/nobody.png" in found.message


def test_a_split_without_an_entry(tmp_path):
    column = CALM | {"val": ["", ""]}
    _, findings = targets(tmp_path, {"mood": column}, [("mood", "category")])
    found = only(findings)
    assert (found.level, found.kind) == ("warning", "targets-empty")
    assert "the column mood is empty for every image of val" in found.message


def test_categories_that_train_lacks_or_has_once(tmp_path):
    column = {"train": ["calm"] * 4 + ["tense"] * 3 + ["wild"], "val": ["calm", "bored"]}
    _, findings = targets(tmp_path, {"mood": column})
    unseen, once = only(findings, "targets-unseen"), only(findings, "targets-rare")
    assert "mood has bored in val, and never in train" in unseen.message
    assert "one image of train only for wild" in once.message


def test_free_text_is_no_category(tmp_path):
    column = {"train": [f"note {index}" for index in range(8)], "val": ["x", "y"]}
    assert targets(tmp_path, {"remark": column})[1] == []


def test_numbers_far_from_the_others(tmp_path):
    column = {"train": [1, 2, 3, 4, 5, 6, 7, 800], "val": [3, 4]}
    _, findings = targets(tmp_path, {"arousal": column})
    found = only(findings)
    assert found.kind == "targets-outliers"
    assert "1 number of the column arousal far from the others, which are 1 to 7: 800 of " in (
        found.message
    )
    assert found.examples[0].items[0].name == "train_007"


def test_numbers_that_hardly_vary_have_no_outliers(tmp_path):
    column = {"train": [1] * 7 + [2], "val": [1, 1]}
    assert targets(tmp_path, {"level": column})[1] == []
