import numpy as np
import pytest
import tifffile
from PIL import Image
from raw_images import write_png, write_tiff

from segmentation.data.files import read_image, read_mask, read_pair, read_palette
from segmentation.errors import DataError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 9), dtype=np.uint8)
RGB = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
LABELS = RNG.integers(0, 5, (6, 9), dtype=np.uint8)


def save(path, array, mode=None, **options):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "webp", "bmp", "tif"])
def test_rgb_in_every_format_without_loss(tmp_path, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / f"ein bild ü.{suffix}", RGB, **options)
    np.testing.assert_array_equal(read_image(path), RGB)


def test_greyscale_palette_opaque_rgba_and_cmyk_become_rgb(tmp_path):
    grey = np.repeat(GREY[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_image(save(tmp_path / "l.png", GREY)), grey)
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.png", RGB, "RGBA")), RGB)
    np.testing.assert_array_equal(read_image(save(tmp_path / "c.tif", RGB, "CMYK")), RGB)
    few = (LABELS * 40)[..., None].repeat(3, axis=2)
    palette = Image.fromarray(few).convert("P", palette=Image.Palette.ADAPTIVE)
    palette.save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_image(tmp_path / "p.png"), few)


def test_what_cannot_be_read_rightly_is_refused(tmp_path):
    wide = save(tmp_path / "wide.png", GREY.astype(np.uint16) * 200)
    with pytest.raises(DataError, match=r"it has 16 bits a channel.*data\.channels=auto"):
        read_image(wide)
    seen = np.dstack([RGB, np.full((6, 9), 255, np.uint8)])
    seen[2, 3, 3] = 254
    with pytest.raises(DataError, match="transparent in places"):
        read_image(save(tmp_path / "alpha.png", seen))
    with pytest.raises(DataError, match="transparent in places"):
        read_mask(tmp_path / "alpha.png")


FOUR = RNG.integers(0, 256, (6, 9, 4), dtype=np.uint8)


@pytest.mark.parametrize(
    ("pixels", "options", "holds"),
    [
        (FOUR, {"photometric": "rgb", "extrasamples": ["unspecified"]}, "4 bands of 8 bits"),
        (FOUR[..., :2], {"photometric": "minisblack", "planarconfig": "contig"}, "2 bands"),
        (FOUR.transpose(2, 0, 1), {"photometric": "minisblack"}, "8 bits in each of 4 pages"),
        (GREY.astype(np.int8), {"photometric": "minisblack"}, "1 band of 8 bits"),
        (GREY.astype(np.uint16), {"photometric": "minisblack"}, "1 band of 16 bits"),
    ],
)
def test_what_a_tiff_holds_beyond_rgb_is_not_dropped(tmp_path, pixels, options, holds):
    """Pillow opens all of these, as RGB or greyscale, and says nothing of the rest."""
    tifffile.imwrite(tmp_path / "x.tif", pixels, **options)
    with pytest.raises(DataError, match=rf"{holds}.*data\.channels=auto"):
        read_image(tmp_path / "x.tif")


def test_overviews_and_thumbnails_are_no_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        file.write(RGB, photometric="rgb")
        file.write(RGB[::2, ::2], photometric="rgb", subfiletype=1)
        file.write(np.ascontiguousarray(RGB[:3, :3]), photometric="rgb")
    np.testing.assert_array_equal(read_image(tmp_path / "x.tif"), RGB)


def test_bombs_cut_files_texts_and_nothing(tmp_path):
    path = save(tmp_path / "x.png", RGB)
    with pytest.raises(DataError, match=r"54 pixels \(9x6\), more than .*data\.max_pixels=54"):
        read_image(path, max_pixels=53)
    assert read_image(path, max_pixels=54).shape == (6, 9, 3)
    for content in (path.read_bytes()[:90], b"", b"no image"):
        path.write_bytes(content)
        for read in (read_image, read_mask):
            with pytest.raises(DataError, match=r"x\.png cannot be read"):
                read(path)
    with pytest.raises(DataError, match=r"gone\.png does not exist"):
        read_image(tmp_path / "gone.png")


def test_masks_of_every_kind(tmp_path):
    np.testing.assert_array_equal(read_mask(save(tmp_path / "l.png", LABELS)), LABELS)
    palette = Image.fromarray(LABELS)
    palette.putpalette([9, 8, 7] * 5)
    palette.save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "p.png"), LABELS)
    wide = save(tmp_path / "i.png", LABELS.astype(np.uint16))
    np.testing.assert_array_equal(read_mask(wide), LABELS)
    Image.fromarray(LABELS > 2).save(tmp_path / "1.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "1.png"), LABELS > 2)
    np.testing.assert_array_equal(read_mask(save(tmp_path / "c.png", RGB)), RGB)
    np.testing.assert_array_equal(read_mask(save(tmp_path / "a.png", RGB, "RGBA")), RGB)
    lossless = save(tmp_path / "w.webp", RGB, lossless=True, exact=True)
    np.testing.assert_array_equal(read_mask(lossless), RGB)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("kind", ["grey", "transparent", "palette", "clear palette"])
def test_indices_are_what_a_png_stores(tmp_path, bits, kind):
    rng = np.random.default_rng(0)
    if bits == 16 and "palette" in kind:
        return  # there is no such PNG
    values = rng.integers(0, min(2**bits, 256), (7, 13))
    palette = rng.integers(0, 256, 3 * 2**bits).astype(np.uint8).tobytes()
    path = write_png(
        tmp_path / "m.png",
        values,
        bits,
        palette if "palette" in kind else b"",
        {"transparent": b"\0\1", "clear palette": b"\xff\0"}.get(kind, b""),
    )
    np.testing.assert_array_equal(read_mask(path), values)
    assert read_palette(path)[1] == ({1} if kind in ("transparent", "clear palette") else set())


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_indices_are_what_a_tiff_stores(tmp_path, bits, white_is_zero):
    values = np.random.default_rng(0).integers(0, min(2**bits, 256), (7, 13))
    path = write_tiff(tmp_path / "m.tif", values, bits, white_is_zero)
    np.testing.assert_array_equal(read_mask(path), values)


def test_a_palette_is_read_as_indices_or_as_colours(tmp_path):
    palette = Image.fromarray(LABELS)
    palette.putpalette(list(range(15)))
    palette.save(tmp_path / "p.png")
    colors = np.arange(15, dtype=np.uint8).reshape(5, 3)
    np.testing.assert_array_equal(read_mask(tmp_path / "p.png"), LABELS)
    np.testing.assert_array_equal(read_mask(tmp_path / "p.png", colors=True), colors[LABELS])
    assert read_palette(tmp_path / "p.png")[0] == dict(enumerate(map(tuple, colors.tolist())))


def test_wide_indices(tmp_path):
    binary = save(tmp_path / "b.png", (LABELS > 2).astype(np.uint16) * 65535)
    np.testing.assert_array_equal(read_mask(binary), (LABELS > 2) * 255)
    whole = save(tmp_path / "f.tif", LABELS.astype(np.float32))
    np.testing.assert_array_equal(read_mask(whole), LABELS)
    with pytest.raises(DataError, match="holds fractions"):
        read_mask(save(tmp_path / "g.tif", LABELS + np.float32(0.5)))


def test_masks_that_are_none(tmp_path):
    with pytest.raises(DataError, match="is JPEG-compressed: that changes labels"):
        read_mask(save(tmp_path / "m.jpg", LABELS))
    with pytest.raises(DataError, match="is lossy WebP"):
        read_mask(save(tmp_path / "m.webp", LABELS))
    with pytest.raises(DataError, match="is JPEG-compressed"):
        read_mask(save(tmp_path / "m.tif", LABELS, compression="jpeg"))
    with pytest.raises(DataError, match="holds the index 26001: an index mask has 0 to 255"):
        read_mask(save(tmp_path / "i.png", LABELS.astype(np.uint16) + 25997))
    with pytest.raises(DataError, match=r"not a mask \(mode CMYK"):
        read_mask(save(tmp_path / "c.tif", RGB, "CMYK"))
    frames = [Image.fromarray(LABELS), Image.fromarray(LABELS[::-1].copy())]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match="holds 2 pictures"):
        read_mask(tmp_path / "a.tif")


def exif(path, turn):
    tags = Image.Exif()
    tags[0x0112] = turn
    save(path, RGB, exif=tags)
    return path


def test_a_quarter_turn_is_followed_where_the_mask_follows_it(tmp_path):
    path = exif(tmp_path / "x.png", 6)  # a quarter turn to the right
    upright = np.rot90(RGB, -1)
    np.testing.assert_array_equal(read_image(path), upright)
    image, _ = read_pair(path, save(tmp_path / "m.png", LABELS.T.copy()))
    np.testing.assert_array_equal(image, upright)
    with pytest.raises(DataError, match=r"m\.png is 9x6 but its image x\.png is 6x9"):
        read_pair(path, save(tmp_path / "m.png", LABELS))


def test_a_half_turn_does_not_tell_and_is_refused(tmp_path):
    path = exif(tmp_path / "x.png", 3)
    np.testing.assert_array_equal(read_image(path), RGB[::-1, ::-1])
    with pytest.raises(DataError, match=r"x\.png has an EXIF rotation"):
        read_pair(path, save(tmp_path / "m.png", LABELS))


def test_nodata_of_a_tiff_is_a_transparent_value(tmp_path):
    Image.fromarray(LABELS).save(tmp_path / "m.tif", tiffinfo={42113: "3"})
    np.testing.assert_array_equal(read_mask(tmp_path / "m.tif"), LABELS)
    assert read_palette(tmp_path / "m.tif")[1] == {3}
