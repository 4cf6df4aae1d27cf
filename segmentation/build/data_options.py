"""Check the options of `data` before torch is imported and before any file is read."""

from pathlib import Path

from omegaconf import DictConfig, ListConfig

from segmentation.config import user_path
from segmentation.console import typed
from segmentation.data.discovery.class_table import check_class_table
from segmentation.data.images.choose_channels import parse_files
from segmentation.data.images.image_format import MAX_PIXELS
from segmentation.data.options import AUTO_BATCH_SIZE, check_folder, check_mode, check_on_error
from segmentation.errors import ConfigError, DataError, check_count
from segmentation.system.plain_data import MAX_AREA


def check_data(data: DictConfig) -> None:
    """Check the options and the paths of a data set.

    Raises:
        ConfigError, DataError: an invalid value, or a path that is not there.
    """
    if not data.name:
        raise ConfigError("data=as_trained is for evaluate: pass data=folder or another.")
    root = data_root(data)
    check_data_options(data)
    if "draw" not in data:
        check_folder(root)
    if data.pairs and not user_path(data.pairs).is_file():
        raise DataError(f"{user_path(data.pairs)} does not exist.")
    check_class_table(data.classes)


def check_data_options(data: DictConfig) -> None:
    """Check the options that need no data, before any are drawn.

    Raises:
        ConfigError: an invalid value.
    """
    batch_size(data)
    size_of(data)
    if data.crop != "auto":
        size_of(data, "crop")
    if data.workers != "auto":
        check_count("data.workers", data.workers, 0)
    check_mode(data.cache)
    check_on_error(data.on_error)
    check_count("data.max_pixels", data.get("max_pixels", MAX_PIXELS), 1)
    parse_files(data.get("bands"))
    fold_of(data)


def data_root(data: DictConfig) -> Path:
    """Return the folder of a data set.

    Raises:
        ConfigError: none is named.
    """
    if data.root is None:
        raise ConfigError(
            "data.root is not set. Type data=<option> data.root=<folder>, a folder of images and "
            "masks."
        )
    return user_path(data.root)


def batch_size(data: DictConfig) -> int:
    """Return the number of images in a batch, over all ranks.

    Raises:
        ConfigError: no such number.
    """
    size = AUTO_BATCH_SIZE if data.batch_size == "auto" else data.batch_size
    return check_count("data.batch_size", size, 1)


def fold_of(data: DictConfig) -> tuple[int, int] | None:
    """Return which part of how many is val, see conf/data; None without cross-validation.

    Raises:
        ConfigError: no such part.
    """
    if data.folds is None and data.fold is None:
        return None
    if data.folds is None or data.fold is None:
        raise ConfigError(
            f"data.folds and data.fold belong together: {typed('train')} -m data.folds=5 "
            "data.fold=0,1,2,3,4"
        )
    folds = check_count("data.folds", data.folds, 2)
    if check_count("data.fold", data.fold, 0) >= folds:
        raise ConfigError(f"data.fold={data.fold}: folds count from 0 to {folds - 1}.")
    return data.fold, folds


def size_of(data: DictConfig, key: str = "size") -> tuple[int, int] | None:
    """Return the (height, width) that an option of `data` holds; None for none.

    Raises:
        ConfigError: anything else.
    """
    value = data[key]
    if value is None:
        return None
    good = isinstance(value, list | ListConfig) and len(value) == 2
    if not (good and all(isinstance(side, int) and side > 0 for side in value)):
        raise ConfigError(f"data.{key}={value}: expected [height, width] in pixels, or null.")
    if value[0] * value[1] > MAX_AREA:
        raise ConfigError(f"data.{key}={value}: at most {MAX_AREA:,} pixels fit into a batch.")
    return tuple(value)
