"""Which evaluations are compared, which are one contender, and what they are called."""

from comparing import compared, encoder, pair, refused, typed  # noqa: F401
from made_runs import confusion, names, settings, write_begun, write_model, write_run, write_scoring


def folded(directory, fold, split="val"):
    config = settings(data__folds=3, data__fold=fold)
    images = names(prefix=f"fold{fold}" if split == "val" else "image")
    write_begun(directory, config)
    return write_scoring(directory, confusion(0.0, fold), split, images, seconds=1.0)


def test_names_are_given_and_group(pair, tmp_path):  # noqa: F811
    third = write_run(tmp_path / "three", encoder("resnet34", 1), 0.2)
    printed, values = compared(tmp_path, typed([*pair, third]), "names=[new,base,new]")
    assert {one["name"]: one["seeds"] for one in values["contenders"]} == {"new": 2, "base": 1}
    assert "The runs named new differ in more than their seed: encoder.name." in " ".join(
        printed.split()
    )
    assert "names=['a']: give one for each of the 2 runs" in refused(typed(pair), "names=[a]")


def test_how_a_model_was_used_is_part_of_its_name(tmp_path):
    plain = write_run(tmp_path / "run")
    inference = {"flip": True, "scales": [1.0], "window": None, "overlap": 0.3}
    flipped = write_scoring(plain / "evaluation" / "val_flip", confusion(0.05), inference=inference)
    _, values = compared(tmp_path, typed([plain, flipped]))
    assert {one["name"] for one in values["contenders"]} == {"plain", "flip=true"}


def test_how_a_model_was_scored_tells_it_from_itself(tmp_path):
    one = write_run(tmp_path / "run", settings(), split="test")
    facts = [
        {"precision": "64-true", "size": [32, 32]},
        {"precision": "64-true", "size": [64, 64]},
        {"class_map": {"road": "Road"}},
    ]
    write_begun(one, settings(), precision="32-true")
    scored = [
        write_scoring(one / "evaluation" / f"test-{place}", confusion(0.1, place), "test", **more)
        for place, more in enumerate(facts, 2)
    ]
    _, values = compared(tmp_path, typed([one, *scored]))
    found = {one["runs"][0]: one["name"] for one in values["contenders"]}
    assert found.pop(str(scored[2])).startswith("class_map=")
    assert found == {
        str(one): "scored as trained",
        str(scored[0]): "precision=64-true",
        str(scored[1]): "precision=64-true size=[64,64]",
    }


def test_model_directories_are_called_by_their_names(pair, tmp_path):  # noqa: F811
    for name, better in (("mine", 0.1), ("theirs", -0.1)):
        write_model(tmp_path / name)
        (tmp_path / name / "model").rename(tmp_path / f"{name}_model")
        write_scoring(tmp_path / f"{name}_model" / "evaluation" / "val", confusion(better))
    models = [tmp_path / "mine_model", tmp_path / "theirs_model"]
    _, values = compared(tmp_path, typed([*models, pair[0]]))
    assert [one["name"] for one in values["contenders"]] == ["vgg16", "mine_model", "theirs_model"]
    assert [one["parameters"] is None for one in values["contenders"]] == [True, False, False]


def test_what_a_model_learnt_from_tells_it_from_others(tmp_path):
    runs = []
    for place, (root, prints) in enumerate([("half", "aaaa1"), ("full", "bbbb2"), ("x", "bbbb2")]):
        config = settings(seed=place, data__root=f"/data/{root}")
        runs.append(write_run(tmp_path / root, config))
        write_begun(runs[-1], config, data={"train": prints, "val": "same"})
    _, values = compared(tmp_path, typed(runs))
    assert {one["name"]: one["seeds"] for one in values["contenders"]} == {
        "train data aaaa": 1, "train data bbbb": 2,
    }  # fmt: skip


def test_folds_are_other_images_unless_scored_on_the_same(tmp_path):
    runs = [folded(tmp_path / f"fold{fold}", fold) for fold in range(3)]
    assert "different folds (data.fold)" in refused(typed(runs))
    runs = [folded(tmp_path / f"test{fold}", fold, "test") for fold in range(3)]
    printed, values = compared(tmp_path, typed(runs))
    assert [one["seeds"] for one in values["contenders"]] == [3]
    assert "several folds: each was trained on other images" in " ".join(printed.split())


def test_folds_of_one_data_set_learn_from_other_images_and_are_one(tmp_path):
    runs = []
    for fold in range(2):
        runs.append(folded(tmp_path / f"fold{fold}", fold, "test"))
        write_begun(runs[-1], settings(data__folds=3, data__fold=fold), data={"train": f"f{fold}"})
    _, values = compared(tmp_path, typed(runs))
    assert [one["seeds"] for one in values["contenders"]] == [2]


def test_a_scoring_again_after_the_data_changed_is_found(tmp_path):
    runs = [
        write_run(tmp_path / name, encoder(name), split="test", data_fingerprint="old")
        for name in ("vgg11", "vgg13")
    ]
    for one in runs:
        write_scoring(one / "evaluation" / "test", confusion(0.1), "test", data_fingerprint="old")
    for place, one in enumerate(runs):
        write_scoring(
            one / "evaluation" / "test-2", confusion(0.1, place), "test", data_fingerprint="new"
        )
    _, values = compared(tmp_path, typed(runs))
    folders = [str(one / "evaluation" / "test-2") for one in runs]
    assert {one["runs"][0] for one in values["contenders"]} == set(folders)
    for folder in folders:
        said = f"Of several evaluations {folder} is compared: on the same images as the others."
        assert said in values["notes"]


def test_a_scoring_of_other_weights_is_left_out_and_said(pair, tmp_path):  # noqa: F811
    again = write_run(tmp_path / "three", encoder("vgg19"), weights="now")
    stale = write_scoring(again / "evaluation" / "val", confusion(0.3), weights="then")
    _, values = compared(tmp_path, typed([*pair, again]))
    assert str(stale) not in str(values["contenders"])
    said = f"{stale} is left out: other weights were scored than the run has now."
    assert said in values["notes"]
