import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from segmentation.classes import CAMVID, VOC, VOID, voc_color
from segmentation.data.masks.labels import Labels
from segmentation.data.masks.proposal import propose_table
from segmentation.errors import DataError


def masks(folder, *arrays, palette=None, **options):
    paths = []
    for number, array in enumerate(arrays):
        image = Image.fromarray(np.asarray(array, dtype=np.uint8))
        if palette:
            image.putpalette(palette)
        paths.append(folder / f"{number}.png")
        image.save(paths[-1], **options)
    return paths


def areas(*values, side=24):
    """Bands of equal width, one for each value."""
    return np.repeat(np.asarray(values), side, axis=0)[None].repeat(side, axis=0)


def entries(proposal):
    return [(entry.name, entry.indices, entry.void) for entry in proposal.table]


def classes(proposal):
    return Labels(proposal.table).classes.names


class TestIndices:
    @pytest.mark.parametrize("count", [1, 2, 100, 254])
    def test_gapless_ones_are_classes_however_many(self, tmp_path, count):
        proposal = propose_table(masks(tmp_path, areas(*range(count), side=4)))
        assert [entry.index for entry in proposal.table] == list(range(count))
        assert not any(entry.void for entry in proposal.table)

    def test_sparse_ones_are_classes_too(self, tmp_path):
        proposal = propose_table(masks(tmp_path, areas(0, 50, 100), areas(150, 50)))
        assert classes(proposal) == ("class_0", "class_50", "class_100", "class_150")

    def test_a_rare_value_stays_a_class_and_is_named(self, tmp_path):
        mask = areas(0, 1, 7, side=40)
        mask[5, 5] = 200
        proposal = propose_table(masks(tmp_path, mask))
        assert "class_200" in classes(proposal)
        assert "value 200" in proposal.doubts[0]
        assert "0.png" in proposal.doubts[0]

    def test_a_palette_gives_the_colours(self, tmp_path):
        table = propose_table(masks(tmp_path, [[0, 1]], palette=[1, 2, 3, 200, 100, 50])).table
        assert [entry.color for entry in table] == [(1, 2, 3), (200, 100, 50)]

    def test_a_known_palette_with_its_indices_is_a_known_table(self, tmp_path):
        palette = [part for index in range(21) for part in voc_color(index)]
        paths = masks(tmp_path, areas(*range(15), side=4), palette=palette)
        assert propose_table(paths, known=["voc"]).table == VOC
        # Many tools use VOC's palette: without its folder or its void it tells nothing
        assert propose_table(paths).table[1].name == "class_1"

    def test_photos_are_no_masks(self, tmp_path):
        rng = np.random.default_rng(0)
        for shape in ((64, 64), (64, 64, 3)):
            with pytest.raises(DataError, match=r"photos"):
                propose_table(masks(tmp_path, rng.integers(0, 250, shape)))


class TestVoid:
    @pytest.mark.parametrize(
        ("other", "known"), [(1, ["camvid"]), (15, ["voc"])], ids=["gapless", "VOC's folder"]
    )
    def test_255_is_void_as_a_thin_border(self, tmp_path, other, known):
        mask = areas(0, other, side=200)
        mask[:, 198:203] = 255
        proposal = propose_table(masks(tmp_path, mask), known=known)
        assert entries(proposal) == [
            ("class_0", (0,), False),
            (f"class_{other}", (other,), False),
            ("void", (255,), True),
        ]
        assert "value 255 (1.2% of the pixels, in 0.png) is void" in proposal.doubts
        found = Labels(proposal.table).decode(np.array([[other, 255, 0]], np.uint8), "x")
        np.testing.assert_array_equal(found, [[1, VOID, 0]])

    @pytest.mark.parametrize("values", [(0, 127), (0, 85, 170), (0, 15)])
    def test_a_thin_class_at_255_is_not_lost(self, tmp_path, values):
        mask = areas(*values, side=200)
        mask[:, 40:48] = 255
        with pytest.raises(DataError, match=r"may be void or a class"):
            propose_table(masks(tmp_path, mask))

    def test_a_transparent_value_of_large_share_is_not_guessed(self, tmp_path):
        paths = masks(tmp_path, areas(0, 3, 7), transparency=7)
        with pytest.raises(DataError, match=r"data\.classes=nodata"):
            propose_table(paths)
        assert entries(propose_table(paths, "nodata"))[-1] == ("void_7", (7,), True)

    def test_255_is_void_with_a_small_share_beside_gapless_indices(self, tmp_path):
        proposal = propose_table(masks(tmp_path, areas(0, 1, 2, 3, 255)))
        assert entries(proposal)[-1] == ("void", (255,), True)

    @pytest.mark.parametrize("mask", [areas(0, 1, 255), areas(0, 3, 7, 9, 11, 255)])
    def test_else_both_readings_are_shown_and_work(self, tmp_path, mask):
        paths = masks(tmp_path, mask)
        with pytest.raises(DataError, match="could lose a class") as error:
            propose_table(paths)
        every, void = (f"data.classes={reading}" for reading in ("each-value", "void-255"))
        assert every in str(error.value)
        assert void in str(error.value)
        assert "class_255" in classes(propose_table(paths, "each-value"))
        assert entries(propose_table(paths, "void-255"))[-1] == ("void", (255,), True)

    def test_a_transparent_value_is_void_beside_gapless_indices(self, tmp_path):
        proposal = propose_table(masks(tmp_path, areas(0, 1, 2, 3, 99), transparency=99))
        assert entries(proposal)[-1] == ("void_99", (99,), True)
        assert "99 transparent" in proposal.doubts[0]

    def test_a_transparent_0_stays_a_class(self, tmp_path):
        proposal = propose_table(masks(tmp_path, areas(0, 1, 2), transparency=0))
        assert classes(proposal) == ("class_0", "class_1", "class_2")
        assert "0 transparent" in proposal.doubts[0]


class TestNearlyBinary:
    @pytest.mark.parametrize("mask", [areas(0, 255), areas(0, 255)[..., None].repeat(3, 2)])
    def test_background_and_foreground(self, tmp_path, mask):
        labels = Labels(propose_table(masks(tmp_path, mask)).table)
        assert labels.classes.names == ("background", "foreground")
        found = labels.decode(mask.astype(np.uint8), "x")
        np.testing.assert_array_equal(found, areas(0, 1))

    @pytest.mark.parametrize("place", [5, 23, 24, 40], ids=["background", "edge", "edge", "inside"])
    @pytest.mark.parametrize("stray", [1, 7, 128, 254])
    def test_a_stray_pixel_is_void_and_named(self, tmp_path, stray, place):
        mask = areas(0, 255, side=48)
        mask[9, place] = stray
        proposal = propose_table(masks(tmp_path, areas(0, 255), mask))
        assert classes(proposal) == ("background", "foreground")
        (doubt,) = proposal.doubts
        assert f"value {stray} (" in doubt
        assert "1.png" in doubt
        assert "%" in doubt

    @pytest.mark.parametrize("reduce", ["antialiased", "blurred"])
    @pytest.mark.parametrize("rgb", [False, True])
    def test_smooth_edges_are_void(self, tmp_path, reduce, rgb):
        y, x = np.mgrid[:160, :160]
        disc = Image.fromarray(((x - 80) ** 2 + (y - 70) ** 2 < 50**2).astype(np.uint8) * 255)
        if reduce == "antialiased":
            mask = np.array(disc.resize((80, 80), Image.Resampling.BILINEAR))
        else:
            mask = np.array(disc.resize((53, 53)).resize((160, 160), Image.Resampling.BICUBIC))
        mask = mask[..., None].repeat(3, 2) if rgb else mask
        proposal = propose_table(masks(tmp_path, mask))
        assert classes(proposal) == ("background", "foreground")
        labels = Labels(proposal.table).decode(mask, "x")
        assert set(np.unique(labels)) == {0, 1, VOID}
        assert (labels[(mask.reshape(*labels.shape, -1) == 255).all(-1)] == 1).all()

    def test_0_and_1_in_some_files_beside_0_and_255_in_others(self, tmp_path):
        proposal = propose_table(masks(tmp_path, areas(0, 1), areas(0, 255)))
        assert entries(proposal)[1] == ("foreground", (255, 1), False)
        assert "0.png" in proposal.doubts[0]
        assert "1.png" in proposal.doubts[0]

    def test_one_value_along_the_borders_may_be_a_class_of_contours(self, tmp_path):
        mask = areas(0, 255, side=60)
        mask[:, 60] = 128
        with pytest.raises(DataError, match=r"data\.classes=each-value"):
            propose_table(masks(tmp_path, mask))

    def test_a_trimap_is_not_guessed(self, tmp_path):
        paths = masks(tmp_path, areas(0, 128, 255))
        with pytest.raises(DataError, match=r"data\.classes=binary"):
            propose_table(paths)
        proposal = propose_table(paths, "binary")
        assert entries(proposal)[1:] == [("foreground", (255,), False), ("void", (128,), True)]


class TestBlended:
    def test_files_are_named_and_the_areas_can_be_had(self, tmp_path):
        sharp = Image.fromarray(areas(0, 40, 200, side=30).astype(np.uint8))
        soft = np.array(sharp.resize((123, 41), Image.Resampling.BILINEAR))
        paths = masks(tmp_path, np.array(sharp), soft)
        with pytest.raises(DataError, match=r"blended.*1\.png.*data.classes=areas"):
            propose_table(paths)
        assert classes(propose_table(paths, "areas")) == ("class_0", "class_40", "class_200")

    def test_of_colours(self, tmp_path):
        bands = [np.full((30, 30, 3), c, np.uint8) for c in ((0, 0, 0), (200, 0, 0), (0, 0, 90))]
        soft = Image.fromarray(np.hstack(bands)).resize((123, 41), Image.Resampling.BILINEAR)
        paths = masks(tmp_path, np.array(soft))
        with pytest.raises(DataError, match=r"blended.*data.classes=areas"):
            propose_table(paths)
        expected = ("background", "class_00005a", "class_c80000")
        assert classes(propose_table(paths, "areas")) == expected


class TestColours:
    def test_of_a_known_table(self, tmp_path):
        colors = [[entry.color for entry in CAMVID if entry.name != "Fence"]]
        proposal = propose_table(masks(tmp_path, colors))
        assert proposal.table == CAMVID
        assert "data.classes=camvid" in proposal.reason

    def test_few_of_a_known_table_are_not_that_table(self, tmp_path):
        colors = [[(0, 0, 0), (128, 0, 0), (128, 128, 0)]]
        table = propose_table(masks(tmp_path, colors)).table
        assert [entry.name for entry in table] == ["background", "class_800000", "class_808000"]
        assert not any(entry.void for entry in table)

    def test_a_table_that_the_layout_speaks_against_is_not_proposed(self, tmp_path):
        colors = [[entry.color for entry in CAMVID]]
        assert propose_table(masks(tmp_path, colors), known=["voc"]).table != CAMVID

    def test_masks_of_two_kinds(self, tmp_path):
        with pytest.raises(DataError, match=r"some masks hold indices .*1\.png"):
            propose_table(masks(tmp_path, [[0, 1]], [[[0, 0, 0], [1, 2, 3]]]))

    @pytest.mark.parametrize("reading", [None, "each-value", "void-255", "binary"])
    def test_what_was_counted_can_be_decoded(self, tmp_path, reading):
        mask = areas(0, 1, 2, side=200).astype(np.uint8)
        mask[:, 398:403] = 255
        for number, values in enumerate((mask, mask[..., None].repeat(3, 2))):
            folder = tmp_path / str(number)
            folder.mkdir()
            (path,) = masks(folder, values)
            labels = Labels(propose_table([path], reading).table)
            found = labels.decode(labels.read(path), path)
            assert len(np.unique(found)) == (3 if reading == "binary" else 4)

    def test_greys_saved_as_rgb_are_indices(self, tmp_path):
        grey = areas(0, 2)[..., None].repeat(3, 2)
        labels = Labels(propose_table(masks(tmp_path, areas(0, 1), grey)).table)
        np.testing.assert_array_equal(labels.decode(grey.astype(np.uint8), "x"), areas(0, 2))


class TestPalettes:
    BLACK_FIRST, GREEN_FIRST = [0, 0, 0, 255, 0, 0, 0, 255, 0], [0, 255, 0, 255, 0, 0, 0, 0, 0]

    def files(self, folder, first, second):
        paths = []
        for number in range(4):
            path = folder / str(number)
            path.mkdir()
            palette = second if number % 2 else first
            paths += masks(path, areas(0, 1, 2), palette=palette)
        return paths

    def test_that_disagree_are_read_by_colour(self, tmp_path):
        paths = self.files(tmp_path, self.BLACK_FIRST, self.GREEN_FIRST)
        proposal = propose_table(paths)
        assert classes(proposal) == ("background", "class_00ff00", "class_ff0000")
        assert "index 0 is #000000" in proposal.doubts[0]
        labels = Labels(proposal.table)
        one, other = (labels.decode(labels.read(path), path) for path in paths[:2])
        np.testing.assert_array_equal(one, areas(0, 2, 1))
        np.testing.assert_array_equal(other, areas(1, 2, 0))

    def test_of_random_colours_are_refused(self, tmp_path):
        rng = np.random.default_rng(0)
        paths = []
        for number in range(4):
            path = tmp_path / str(number)
            path.mkdir()
            paths += masks(path, areas(0, 1, 2), palette=rng.integers(0, 256, 9).tolist())
        with pytest.raises(DataError, match=r"palettes disagree.*0\.png.*data\.classes=each-value"):
            propose_table(paths)
        assert classes(propose_table(paths, "each-value")) == ("class_0", "class_1", "class_2")


def test_unreadable_masks_are_passed_over_unless_all_are(tmp_path):
    good, bad = masks(tmp_path, [[0, 1]], [[0, 1]])
    bad.write_bytes(b"")
    assert len(propose_table([bad, good]).table) == 2
    with pytest.raises(DataError, match=r"1\.png cannot be read"):
        propose_table([bad])


@given(
    values=st.sets(st.integers(0, 254), min_size=2, max_size=6),
    seed=st.integers(0, 2**16),
    void=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_guess_never_loses_a_class(values, seed, void, tmp_path_factory):
    """Random patches, each of a value: every value is a class of its own, or none is proposed."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(sorted(values), (5, 5))
    mask = cells.repeat(9, axis=0).repeat(9, axis=1)
    if void:
        mask[44:] = 255
    paths = masks(tmp_path_factory.mktemp("masks"), mask)
    try:
        proposal = propose_table(paths)
    except DataError:
        with pytest.raises(DataError, match=r"data\.classes="):
            propose_table(paths)
        return
    labels = Labels(proposal.table).decode(mask.astype(np.uint8), "x")
    patches = mask[4::9, 4::9], labels[4::9, 4::9]
    assert VOID not in patches[1]
    assert len(set(zip(*(patch.ravel().tolist() for patch in patches), strict=True))) == len(
        set(patches[1].ravel().tolist())
    )
