"""Read TIFFs by GDAL: any number of bands and pages, all number types, NoData, windows.

Only TIFFs: GDAL's other formats can name files and addresses elsewhere. Nothing beside the file is
read either (.aux.xml, .ovr, .msk).
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.classes import VOID
from segmentation.data.images.channels import MOST
from segmentation.data.images.image_format import NO_LIMIT, ImageFormat, opened
from segmentation.errors import DataError
from segmentation.system.packages import explain_missing

OPTIONS: dict[str, str | int] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_CACHEMAX": 128,  # MB
}
BLOCK = 512
"""The side of the tiles of a TIFF that is written."""
GEO_TAGS = {33550, 34264}
"""The TIFF tags of the pixels' size and place, and of any other affine map to coordinates."""
ORIENTATION = 274
"""The TIFF tag that says how an image is turned: the coordinates are of the pixels as stored."""
Span = tuple[int, int]
"""Start and length along an axis, in pixels."""


def _rasterio(path: Path) -> Any:
    if problem := explain_missing("geo", f"{path}, a TIFF with more than 8-bit RGB,"):
        raise DataError(problem)
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
    return rasterio


class Tiff:
    """An open TIFF; a context manager.

    Pages of one size are one image, whose bands are those of the first page, then those of the
    second and so on.

    Args:
        path: the file.

    Raises:
        DataError: rasterio is not installed, or it cannot read the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        rasterio = _rasterio(path)
        self._window = rasterio.windows.Window
        self._env = rasterio.Env(**OPTIONS)
        self._env.__enter__()
        self._pages: list[Any] = []
        try:
            first = rasterio.open(path.absolute(), driver="GTiff")
            self._pages.append(first)
            for page in first.subdatasets[1:MOST]:  # the first is open
                other = rasterio.open(page, driver="GTiff")
                (self._pages if other.shape == first.shape else []).append(other)
        except Exception as error:
            self.close()
            raise DataError(
                f"{path} cannot be read: {error}. Replace or remove the file."
            ) from error
        self.shape: tuple[int, int] = first.shape
        self._places = [
            (page, number) for page in self._pages for number in range(1, page.count + 1)
        ]

    def __enter__(self) -> "Tiff":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        for page in self._pages:
            page.close()
        self._env.__exit__()

    def format(self) -> ImageFormat:
        """Describe the file."""
        first = self._pages[0]
        types = {np.dtype(kind) for page in self._pages for kind in page.dtypes}
        if any(kind.kind == "c" for kind in types):
            raise DataError(f"{self.path} holds complex numbers: save real and imaginary bands.")
        dtype = str(types.pop()) if len(types) == 1 else "float32"
        names = [self._name(*place) for place in self._places]
        return ImageFormat(
            size=self.shape,
            bands=len(self._places),
            dtype=dtype if dtype in ("uint8", "uint16") else "float32",
            names=tuple(names),
            photo=False,
            gdal=True,
            block=tuple(first.block_shapes[0]),
        )

    @property
    def crs(self) -> Any:
        """The coordinate reference system; None: unknown."""
        return self._pages[0].crs

    @property
    def transform(self) -> Any:
        """The affine map from pixels to coordinates; the identity: unknown."""
        return self._pages[0].transform

    @property
    def has_coordinates(self) -> bool:
        """Whether the place of the pixels is known."""
        return not self.transform.is_identity

    @staticmethod
    def _name(page: Any, number: int) -> str:
        described = page.descriptions[number - 1]
        color = page.colorinterp[number - 1].name
        return described or (color if color in ("red", "green", "blue", "nir", "alpha") else "")

    def read(
        self, bands: Sequence[int], rows: Span | None = None, columns: Span | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Read some bands, all of it or a window.

        Args:
            bands: their numbers, from 1.
            rows, columns: the window; None: all.

        Returns:
            (H, W, bands) in the file's type, and `bool` of the same shape: where there are data;
            None: everywhere. No data are NoData values, masked pixels, NaN and infinity.

        Raises:
            DataError: the file cannot be read.
        """
        rows, columns = rows or (0, self.shape[0]), columns or (0, self.shape[1])
        window = self._window(columns[0], rows[0], columns[1], rows[1])
        places = [self._places[band - 1] for band in bands]
        layers: dict[int, np.ndarray] = {}
        masks: dict[int, np.ndarray] = {}
        try:
            for page in dict.fromkeys(page for page, _ in places):
                here = [index for index, place in enumerate(places) if place[0] is page]
                numbers = [places[index][1] for index in here]
                layers |= zip(here, page.read(numbers, window=window), strict=True)
                if self._has_mask(page, numbers):
                    masks |= zip(here, page.read_masks(numbers, window=window) > 0, strict=True)
        except Exception as error:
            raise DataError(
                f"{self.path} cannot be read: {error}. Replace or remove the file."
            ) from error
        image = np.stack([layers[index] for index in range(len(bands))], axis=-1)
        everywhere = np.ones(image.shape[:2], bool)
        valid = np.stack([masks.get(index, everywhere) for index in range(len(bands))], axis=-1)
        if image.dtype.kind == "f":
            valid &= np.isfinite(image)
        return image, None if valid.all() else valid

    def palette(self) -> dict[int, tuple[int, ...]]:
        """Return the colours of the first band's values; empty where they have none."""
        try:
            return dict(self._pages[0].colormap(1))
        except ValueError:
            return {}

    @staticmethod
    def _has_mask(page: Any, numbers: Sequence[int]) -> bool:
        """Tell whether some bands have NoData or a mask; an alpha band that is read is none."""
        flags = {flag.name for number in numbers for flag in page.mask_flag_enums[number - 1]}
        colors = {page.colorinterp[number - 1].name for number in numbers}
        return flags != {"all_valid"} and not ("alpha" in flags and "alpha" in colors)


def has_coordinates(path: Path) -> bool:
    """Tell whether a file is a TIFF that says where on the earth its pixels are."""
    if path.suffix.lower() not in (".tif", ".tiff") or not path.is_file():
        return False
    try:
        with opened(path, NO_LIMIT) as image:
            tags = getattr(image, "tag_v2", {})
            return not GEO_TAGS.isdisjoint(tags) and tags.get(ORIENTATION, 1) == 1
    except Exception:  # a damaged file makes Pillow raise nearly anything; GDAL reads more TIFFs
        try:
            with Tiff(path) as tiff:
                return tiff.has_coordinates
        except DataError:  # reading it tells why
            return False


def degrees_of(path: Path) -> Callable[[np.ndarray], np.ndarray] | None:
    """Return what turns pixels of an image into degrees of WGS84; None if its place is unknown.

    The function takes and returns `float64` (n, 2): x and y from the top left corner of the image,
    and longitude and latitude.

    Raises:
        DataError: rasterio is not installed, or cannot read the file.
    """
    if not has_coordinates(path):
        return None
    with Tiff(path) as tiff:
        crs, (a, b, c, d, e, f) = tiff.crs, tiff.transform[:6]
    if crs is None:
        return None

    def degrees(points: np.ndarray) -> np.ndarray:
        from rasterio.warp import transform

        x, y = points.T
        return np.stack(transform(crs, "EPSG:4326", a * x + b * y + c, d * x + e * y + f), axis=1)

    return degrees


class LabelTiff:
    """A TIFF of labels that is written window by window; a context manager.

    Args:
        path: the file.
        like: a TIFF whose size and coordinates it gets.
        colors: `uint8` RGB (256, 3), of each label.
        tags: texts for its header.

    Raises:
        DataError: it cannot be written.
    """

    def __init__(
        self, path: Path, like: Path, colors: np.ndarray, tags: Mapping[str, str] | None = None
    ) -> None:
        self.path = path
        rasterio = _rasterio(like)
        self._window = rasterio.windows.Window
        self._env = rasterio.Env(**OPTIONS)
        self._env.__enter__()
        try:
            with rasterio.open(like.absolute(), driver="GTiff") as source:
                height, width = source.shape
                crs, transform = source.crs, source.transform
            self._file = rasterio.open(
                path.absolute(), "w", driver="GTiff", height=height, width=width, count=1,
                dtype="uint8", crs=crs, transform=transform, tiled=True, blockxsize=BLOCK,
                blockysize=BLOCK, compress="DEFLATE", nodata=VOID, BIGTIFF="IF_SAFER",
            )  # fmt: skip
            self._file.update_tags(**(tags or {}))
            self._file.write_colormap(1, dict(enumerate(map(tuple, colors.tolist()))))
        except Exception as error:
            self._env.__exit__()
            raise DataError(f"{path} cannot be written: {error}.") from error

    def __enter__(self) -> "LabelTiff":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._env.__exit__()

    def write(self, labels: np.ndarray, rows: slice, columns: slice) -> None:
        """Write the labels of a window, `uint8` (h, w)."""
        window = self._window(columns.start, rows.start, labels.shape[1], labels.shape[0])
        self._file.write(labels, 1, window=window)


def write_placed(
    path: Path, like: Path, labels: np.ndarray, colors: np.ndarray, tags: Mapping[str, str]
) -> None:
    """Write the labels of a whole image as a TIFF with its coordinates.

    Args:
        path: the file.
        like, colors, tags: see `LabelTiff`.
        labels: `uint8` (H, W).

    Raises:
        DataError: it cannot be written.
    """
    height, width = labels.shape
    with LabelTiff(path, like, colors, tags) as tiff:
        tiff.write(labels, slice(0, height), slice(0, width))
