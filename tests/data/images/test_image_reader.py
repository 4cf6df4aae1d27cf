"""What files of any bands, bits and pages are read as, against what was written."""

import numpy as np
import pytest
import rasterio
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.shutil import copy

from segmentation.data.images.channels import RGB, Channels
from segmentation.data.images.choose_channels import choose_channels, parse_files
from segmentation.data.images.image_format import read_format
from segmentation.data.images.image_reader import ImageReader
from segmentation.errors import ConfigError, DataError

RNG = np.random.default_rng(0)
TYPES = {"uint8": "uint8", "uint16": "uint16", "float32": "float32", "int16": "float32",
         "float64": "float32", "int8": "float32", "uint32": "float32"}  # fmt: skip


def write(path, bands, names=(), **options):
    """Write (bands, H, W) as a GeoTIFF."""
    count, height, width = bands.shape
    options = {"photometric": "MINISBLACK", **options}
    with rasterio.open(path, "w", driver="GTiff", height=height, width=width, count=count,
                       dtype=bands.dtype, **options) as file:  # fmt: skip
        file.write(bands)
        for number, name in enumerate(names, start=1):
            file.set_band_description(number, name)
    return path


def read(path, option="auto", files=()):
    return ImageReader(choose_channels(option, [path], files)).read(path)


def bands(count, dtype="uint16", size=(6, 9)):
    return RNG.integers(1, 120, (count, *size)).astype(dtype)


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 16),
    dtype=st.sampled_from(sorted(TYPES)),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    interleave=st.sampled_from(["pixel", "band"]),
    data=st.data(),
)
def test_any_bands_of_a_tiff_are_read_as_written(tmp_path_factory, count, dtype, size, interleave,
                                                 data):  # fmt: skip
    content = bands(count, dtype, size)
    path = write(tmp_path_factory.mktemp("x") / "x.tif", content, interleave=interleave)
    kind = read_format(path)
    assert (kind.size, kind.bands, kind.dtype) == (size, count, TYPES[dtype])
    chosen = data.draw(st.lists(st.integers(1, count), min_size=1, max_size=4, unique=True))
    decoded = read(path, chosen)
    assert decoded.pixels.dtype == TYPES[dtype]
    np.testing.assert_array_equal(decoded.pixels, content[np.array(chosen) - 1].transpose(1, 2, 0))
    if not kind.photo:
        np.testing.assert_array_equal(read(path).pixels, content.transpose(1, 2, 0))


def test_pages_are_bands_and_overviews_are_not(tmp_path):
    content = bands(5)
    tifffile.imwrite(tmp_path / "pages.tif", content, photometric="minisblack")
    np.testing.assert_array_equal(read(tmp_path / "pages.tif").pixels, content.transpose(1, 2, 0))
    path = write(tmp_path / "x.tif", bands(2, size=(64, 64)))
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
    assert read_format(path).bands == 2


def test_16_bit_pngs_keep_their_bits(tmp_path):
    grey = RNG.integers(0, 65536, (6, 9), dtype=np.uint16)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    decoded = read(tmp_path / "grey.png")
    np.testing.assert_array_equal(decoded.pixels, grey[..., None])
    import cv2

    color = RNG.integers(0, 65536, (6, 9, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "color.png"), color[..., ::-1])
    np.testing.assert_array_equal(read(tmp_path / "color.png").pixels, color)
    assert choose_channels("rgb", [tmp_path / "color.png"]) == RGB


def test_photos_stay_rgb_unless_bands_are_named(tmp_path):
    color = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    path = tmp_path / "x.png"
    Image.fromarray(color).save(path)
    assert choose_channels("auto", [path]) == choose_channels(3, [path]) == RGB
    np.testing.assert_array_equal(read(path, [3, 1]).pixels, color[..., [2, 0]])
    np.testing.assert_array_equal(read(path, ["green"]).pixels, color[..., 1:2])
    Image.fromarray(color[..., 0]).save(path)
    assert choose_channels("auto", [path]) == RGB
    np.testing.assert_array_equal(read(path, 1).pixels, color[..., :1])


def test_an_alpha_channel_is_data_only_where_that_is_said(tmp_path):
    content = RNG.integers(1, 256, (4, 6, 9), dtype=np.uint8)
    path = write(tmp_path / "x.tif", content, photometric="RGB", alpha="unspecified")
    assert read_format(path).bands == 4
    own = write(tmp_path / "alpha.tif", content, photometric="RGB", alpha="yes")
    assert choose_channels("auto", [own]) == RGB
    with pytest.raises(DataError, match=r"transparent in places.*data\.channels=\[1,2,3,4\]"):
        read(own)
    for option in (4, [1, 2, 3, 4]):
        np.testing.assert_array_equal(read(own, option).pixels, content.transpose(1, 2, 0))


def test_bands_are_found_by_name_in_each_file(tmp_path):
    content = bands(3)
    first = write(tmp_path / "a.tif", content, ("red", "nir", "swir"))
    other = write(tmp_path / "b.tif", content[[2, 0, 1]], ("swir", "red", "nir"))
    reader = ImageReader(choose_channels(["nir", "RED"], [first, other]))
    for path in (first, other):
        np.testing.assert_array_equal(reader.read(path).pixels, content[[1, 0]].transpose(1, 2, 0))
    reader = ImageReader(choose_channels("auto", [first, other]))
    with pytest.raises(DataError, match=r"band 1 is 'swir', and 'red' in other files"):
        reader.read(other)
    with pytest.raises(DataError, match=r"no band 'nirr' .*Did you mean 'nir'"):
        choose_channels(["nirr"], [first])


def test_bands_in_files_of_their_own_are_stacked(tmp_path):
    content = bands(3)
    for name, band in zip(("B04", "B08", "B11"), content, strict=True):
        write(tmp_path / f"scene_1_{name}.tif", band[None])
    files = parse_files("{stem}_B04.tif, {stem}_B08.tif,{stem}_B11.tif")
    path = tmp_path / "scene_1_B04.tif"
    channels = choose_channels("auto", [path], files)
    assert channels.names == ("B04", "B08", "B11")
    np.testing.assert_array_equal(
        ImageReader(channels).read(path).pixels, content.transpose(1, 2, 0)
    )
    np.testing.assert_array_equal(
        read(path, ["B11", "B04"], files).pixels, content[[2, 0]].transpose(1, 2, 0)
    )
    write(tmp_path / "scene_1_B08.tif", bands(1, size=(3, 4)))
    with pytest.raises(DataError, match=r"B08\.tif is 4x3 but scene_1_B04\.tif is 9x6.*rio warp"):
        ImageReader(channels).read(path)
    (tmp_path / "scene_1_B08.tif").unlink()
    with pytest.raises(DataError, match=r"B08\.tif does not exist"):
        ImageReader(channels).read(path)


@pytest.mark.parametrize("given", ["{stem}.tif", "a.tif,b.tif", "x/{stem}_1.tif,{stem}_2.tif"])
def test_patterns_that_name_no_files_are_refused(given):
    with pytest.raises(ConfigError, match=r"data\.bands.*\{stem\}_B04\.tif"):
        parse_files(given)


@pytest.mark.parametrize("option", ["rgbn", 0, True, [], [0], [1, 1], [1, "red"], 1.5, [[1]]])
def test_options_that_name_no_channels_are_refused(tmp_path, option):
    with pytest.raises((ConfigError, TypeError), match=r"data\.channels|unhashable"):
        choose_channels(option, [write(tmp_path / "x.tif", bands(4))])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (3, r"holds 4 bands of uint16.*data\.channels=\[1,2,3\]"),
        (5, r"holds 4 bands of uint16"),
        ([1, 5], r"has 4 bands, counted from 1"),
    ],
)
def test_bands_that_files_lack_are_refused(tmp_path, option, message):
    with pytest.raises(DataError, match=message):
        choose_channels(option, [write(tmp_path / "x.tif", bands(4))])


def test_most_files_decide_and_others_are_refused(tmp_path):
    paths = [write(tmp_path / f"{index}.tif", bands(4)) for index in range(3)]
    paths.append(write(tmp_path / "other.tif", bands(5)))
    paths.append(write(tmp_path / "bytes.tif", bands(4, "uint8")))
    reader = ImageReader(choose_channels("auto", paths))
    assert (len(reader.channels), reader.channels.dtype) == (4, "uint16")
    with pytest.raises(DataError, match=r"other\.tif holds 5 bands of uint16, and 4 bands are"):
        reader.read(paths[3])
    with pytest.raises(DataError, match=r"bytes\.tif holds 4 bands of uint8"):
        reader.read(paths[4])


def test_pixels_without_data_are_filled_and_void(tmp_path):
    content = bands(2, "float32")
    content[:, 0, 0] = -9999
    content[1, 2, 2] = -9999
    content[0, 3, 3] = np.nan
    content[:, 4, 4] = np.inf
    path = write(tmp_path / "x.tif", content, nodata=-9999)
    channels = Channels((1, 2), ("", ""), "float32", total=2, low=(0.0, 100.0), high=(100.0, 300.0))
    decoded = ImageReader(channels).read(path)
    void = np.zeros((6, 9), bool)
    void[0, 0] = void[4, 4] = True
    np.testing.assert_array_equal(~decoded.valid, void)
    fill = channels.fill
    assert 0 < fill[0] < 100 < fill[1] < 300
    for where in ((0, 0, 0), (0, 0, 1), (2, 2, 1), (3, 3, 0), (4, 4, 1)):
        assert decoded.pixels[where] == np.float32(fill[where[2]])
    assert decoded.pixels[2, 2, 0] == content[0, 2, 2]
    assert np.isfinite(decoded.pixels).all()


def test_photos_with_nodata_have_void_too(tmp_path):
    content = RNG.integers(1, 256, (3, 6, 9), dtype=np.uint8)
    content[:, 1, 1] = 0
    path = write(tmp_path / "x.tif", content, photometric="RGB", nodata=0)
    plain = write(tmp_path / "y.tif", content, photometric="RGB")
    decoded = read(path)
    assert np.argwhere(~decoded.valid).tolist() == [[1, 1]]
    channels = choose_channels("auto", [plain, path, plain])
    assert channels.is_rgb
    assert ImageReader(channels).read(path).valid is not None
    np.testing.assert_array_equal(
        ImageReader(channels).read(plain).pixels, content.transpose(1, 2, 0)
    )


def test_without_rasterio_the_line_to_type_is_said(tmp_path, monkeypatch):
    path = write(tmp_path / "x.tif", bands(4))
    monkeypatch.setitem(__import__("sys").modules, "rasterio", None)
    with pytest.raises(DataError, match=r"pip install 'cityseg\[geo\]'"):
        choose_channels("auto", [path])


def test_a_tiff_that_names_other_files_is_not_followed(tmp_path):
    """GDAL opens a file by its content: a VRT may name any file or address."""
    secret = write(tmp_path / "secret.tif", bands(4))
    vrt = tmp_path / "x.tif"
    with rasterio.open(secret) as file:
        copy(file, tmp_path / "x.vrt", driver="VRT")
    vrt.write_bytes((tmp_path / "x.vrt").read_bytes())
    with pytest.raises(DataError, match=r"x\.tif cannot be read"):
        read_format(vrt)


@given(st.dictionaries(st.sampled_from(list(RGB.to_dict())), st.none() | st.integers() | st.text()
                       | st.lists(st.integers() | st.text()) | st.booleans()))  # fmt: skip
def test_channels_of_strangers_are_valid_or_none(values):
    assert Channels.from_dict(RGB.to_dict()) == RGB
    made = Channels.from_dict({**RGB.to_dict(), **values})
    assert made is None or Channels.from_dict(made.to_dict()) == made
