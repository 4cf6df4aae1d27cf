"""Turn what a caller has - a path, a picture of Pillow's, an array, a tensor - into an image."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from segmentation.config import user_path
from segmentation.data.files import upright_rgb
from segmentation.data.images.channels import Channels
from segmentation.data.images.image_reader import Decoded, ImageReader, fill_missing
from segmentation.errors import DataError, ModelError

Source = str | os.PathLike[str] | Image.Image | np.ndarray | Tensor | Decoded


def read_source(source: Any, reader: ImageReader) -> Decoded:
    """Return the image of a source; see `Predictor.__call__` for what that may be.

    Raises:
        DataError: the file or picture cannot be read.
        ModelError: an array or tensor of another shape or type, or a source of another kind.
    """
    if isinstance(source, str | os.PathLike):
        path = user_path(os.fspath(source))
        if path.is_dir():
            raise DataError(
                f"{path} is a folder: pass a list of its images, such as "
                "sorted(Path(...).glob('*.png')), or type predict.py input=<folder>."
            )
        return reader.read(path)
    if isinstance(source, Decoded):
        return source
    channels = reader.channels
    if isinstance(source, Image.Image):
        return _of_picture(source, channels)
    if isinstance(source, Tensor):
        return _of_array(_channels_last(source), channels)
    if isinstance(source, np.ndarray):
        return _of_array(source, channels)
    raise ModelError(
        f"a {type(source).__name__} is not an image: pass a path, a picture of Pillow, an array "
        "(H, W, C), a tensor (C, H, W), or a list or generator of them."
    )


def path_of(source: Any) -> Path | None:
    """Return the file of a source, or None."""
    return user_path(os.fspath(source)) if isinstance(source, str | os.PathLike) else None


def _of_picture(picture: Image.Image, channels: Channels) -> Decoded:
    if not channels.photos:
        raise ModelError(f"the model takes images of {channels}: pass a path or an array.")
    pixels, unclear = upright_rgb(picture, getattr(picture, "filename", "") or "the picture")
    return Decoded(pixels, None, unclear)


def _channels_last(tensor: Tensor) -> np.ndarray:
    if tensor.ndim not in (2, 3):
        raise ModelError(
            f"a tensor of an image is (C, H, W), this one is {tuple(tensor.shape)}: pass "
            "list(images) for a batch (N, C, H, W)."
        )
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        tensor = tensor.float()  # NumPy has no bfloat16
    return tensor.numpy() if tensor.ndim == 2 else tensor.permute(1, 2, 0).numpy()


def _of_array(pixels: np.ndarray, channels: Channels) -> Decoded:
    if pixels.ndim == 2 and len(channels) == 1:
        pixels = pixels[..., None]
    elif pixels.ndim == 2 and channels.photos:
        pixels = np.stack([pixels] * 3, axis=-1)
    fits = pixels.ndim == 3 and pixels.shape[2] == len(channels) and 0 not in pixels.shape
    if not fits or pixels.dtype != channels.dtype:
        raise ModelError(
            f"the model takes images (H, W, {len(channels)}) of {channels.dtype}: {channels}; "
            f"this one is {pixels.dtype} {pixels.shape}.{_advice(pixels, channels)}"
        )
    if pixels.dtype.kind == "f" and not (valid := np.isfinite(pixels)).all():
        return Decoded(*fill_missing(pixels, valid, channels))
    return Decoded(pixels)


def _advice(pixels: np.ndarray, channels: Channels) -> str:
    """Return what to type for an array that does not fit, with a space before it; or nothing."""
    count = len(channels)
    if pixels.ndim == 4:
        return " Pass list(images) for a batch."
    if pixels.ndim == 3 and pixels.shape[0] == count != pixels.shape[2]:
        return " Pass image.transpose(1, 2, 0)."
    if pixels.ndim == 3 and pixels.shape[2] == 4 and channels.photos:
        return " Pass image[..., :3], if its fourth channel is an alpha channel that hides nothing."
    if pixels.dtype.kind == "f" and channels.dtype == "uint8":
        return (
            " Pass (255 * image).round().astype(np.uint8) if its values are 0 to 1, "
            "image.round().astype(np.uint8) if they are 0 to 255."
        )
    if pixels.dtype.kind == "f" and channels.dtype == "float32":
        return " Pass image.astype(np.float32)."
    return ""
