"""Predict label masks and image-level targets of images with a trained model."""

import os
from collections.abc import Iterable, Iterator, Sequence
from math import prod, sqrt
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from segmentation.classes import VOID
from segmentation.config import user_path
from segmentation.data.augment.window import Size, resize_image
from segmentation.data.images.image_format import MAX_PIXELS
from segmentation.data.images.image_reader import Decoded, ImageReader
from segmentation.errors import ConfigError, ModelError, SegmentationError, check_count
from segmentation.inference.compiled import compile_model
from segmentation.inference.exported import ExportedModel, check_views
from segmentation.inference.opening import find_model, open_model
from segmentation.inference.options import PRECISIONS, InferenceOptions, check_precision
from segmentation.inference.parts import Part, strips, tiles
from segmentation.inference.pretrained import push, save_copy
from segmentation.inference.result import Result
from segmentation.inference.sources import Source, path_of, read_source
from segmentation.inference.test_time import averaged
from segmentation.inference.wrapper import outputs
from segmentation.models import LoadedModel, Outputs, TargetOutputs
from segmentation.models.folding import fold_batch_norm
from segmentation.models.saving import weights_hash
from segmentation.system.hardware import fastest_precision, pick_accelerator

DTYPES = dict(zip(PRECISIONS, (None, torch.bfloat16, torch.float16), strict=True))
"""The dtype of autocast, by precision; None: float32 throughout."""
MOST_SIDE = 8192
"""Largest value of `short_side`, in pixels."""
PLAIN = InferenceOptions()
DEFAULT = "camvid_efficientnet_lite0_long"
"""The shipped model that is used where none is named."""
MAX_ENLARGEMENT = 4
"""Most pixels of a resized image, as a multiple of the pixels of a training image."""
MAX_WHOLE = 1 << 21
"""Most pixels (2048x1024) that a model sees at once; larger images are predicted in windows, so
that the memory stays below 1.4 GB whatever their size."""
AT_ONCE = 8
"""Most images in a batch on a GPU. On a CPU a batch is no faster, and its images would not be equal
bit for bit to themselves alone."""

Batch = Sequence[np.ndarray]
"""Images (H, W, C) of one size."""


class Predictor:
    """Runs a trained model on images.

    >>> import numpy as np
    >>> from segmentation import Predictor
    >>> predictor = Predictor()
    >>> grey = np.full((360, 480, 3), 128, dtype=np.uint8)
    >>> result = predictor(grey)
    >>> result.mask.shape, result.mask.dtype
    ((360, 480), dtype('uint8'))
    >>> predictor.classes.names[:4]
    ('Sky', 'Building', 'Pole', 'Road')
    >>> round(sum(result.shares.values()), 6)
    1.0

    An image of more than `MAX_WHOLE` pixels that is not resized is predicted in windows with a
    margin, which keeps the memory bounded; models with image-level targets always see whole images.
    One predictor may be called from several threads.

    Args:
        model: a run directory, a `.ckpt`, a model directory, the name of a shipped model, a file
            that export.py wrote, or ``owner/name`` on the Hugging Face hub; by default a model of
            street scenes that comes with the project.
        device: ``"cpu"``, ``"cuda"``, ``"mps"``, or ``"auto"``: a GPU if there is one.
        options: test-time augmentation and sliding windows; none by default.
        precision: a key of `PRECISIONS`, or ``"auto"``: bfloat16 where the hardware has it. An
            exported file has its own.
        short_side: pixels that an image's shorter side is resized to before the forward pass;
            labels are always at the image's own size. ``"auto"``: the short side of the training
            images, if the image is more than twice or less than half as large and no windows are
            used. None: no resizing. A model trained with images resized to one size always uses
            that size.
        max_pixels: the largest image file that is read.
        revision: of a model on the hub, see `from_pretrained`.
        compile: see `compile_model`.

    Attributes:
        size: (height, width) that the model was trained with and uses; None: any.
        learnt_size: the median (height, width) of the training images; None: unknown.
        classes: what labels mean; None for a model that does not segment.
        columns: the image-level targets; None for a model without any.
        channels: of the images that the model takes.
        weights: a hash of the model's weights as they were trained, see `weights_hash`.
        model: with the batch norms folded into its convolutions.
        source: what the model was loaded from.

    Raises:
        ModelError: `model` is none of these.
        ConfigError: an unknown precision, an invalid `short_side`, or windows for a model that
            does not segment.
    """

    def __init__(
        self,
        model: str | Path = DEFAULT,
        device: str = "cpu",
        options: InferenceOptions = PLAIN,
        precision: str = "auto",
        short_side: int | str | None = "auto",
        max_pixels: int = MAX_PIXELS,
        revision: str | None = None,
        compile: bool = False,
    ) -> None:
        check_precision(precision)
        if isinstance(short_side, str) and short_side != "auto":
            raise ConfigError(f"short_side={short_side!r}: give a number of pixels, auto or null.")
        if not isinstance(short_side, str | None) and (
            check_count("short_side", short_side, 1) > MOST_SIDE
        ):
            raise ConfigError(f"short_side={short_side}: expected at most {MOST_SIDE} pixels.")
        self.source = find_model(model, revision)
        loaded = open_model(self.source)
        _check_options(loaded, options, short_side, precision)
        self.classes = loaded.classes
        self.size = loaded.size
        self.learnt_size = loaded.learnt_size
        self.channels = loaded.channels
        self.reader = ImageReader(loaded.channels, max_pixels)
        self.options = options
        self._short_side = None if short_side == "auto" and options.window else short_side
        self._precision = precision
        self.weights = weights_hash(loaded.model)
        self._exported = loaded if isinstance(loaded, ExportedModel) else None
        if self._exported is None:
            fold_batch_norm(loaded.model)
        if compile:
            compile_model(loaded.model, _device(device).type)
        self.model = averaged(loaded.model, options)
        self.head = loaded.model.target_head
        self.columns = None if self.head is None else self.head.columns
        self.to(device)

    def to(self, device: str | torch.device) -> "Predictor":
        """Move the model to a device, such as ``"cuda"``; return the predictor itself.

        An exported file stays on the CPU, and in its own precision.

        Raises:
            ConfigError: this machine has no such device.
        """
        self.device = _device(device)
        chosen = self._precision if self._exported is None else "32-true"
        if chosen == "auto":
            chosen = fastest_precision(self.device.type)
        self.dtype = DTYPES[chosen]
        self.model.to(self.device)
        return self

    @classmethod
    def from_pretrained(
        cls, model: str | Path, *, revision: str | None = None, **options: Any
    ) -> "Predictor":
        """Load a model of the Hugging Face hub, or of a directory.

        Of the hub nothing is read but `config.json` and `model.safetensors`, which contain no code.

        Args:
            model: ``owner/name``, or a directory of `save_pretrained`.
            revision: a branch, tag or commit of the hub; None: its main branch.
            options: see `Predictor`.

        Raises:
            ModelError: the hub does not deliver the model, or it is not one of this project, or of
                a newer version.
        """
        return cls(model, revision=revision, **options)

    def save_pretrained(self, directory: str | Path) -> None:
        """Write `config.json` and `model.safetensors`, as `from_pretrained` reads them.

        The weights are those that were trained, without folded batch norms. A published model's
        card is copied.

        Raises:
            ConfigError: the directory holds a model of somebody else.
            ModelError: the model is an exported file, or cannot be written.
        """
        save_copy(self._model_files(), user_path(directory))

    def push_to_hub(
        self,
        repo: str,
        *,
        private: bool = False,
        revision: str | None = None,
        commit_message: str = "Upload a model of cityseg",
    ) -> str:
        """Upload the model to the Hugging Face hub, see `save_pretrained`; return the address.

        Args:
            repo: ``owner/name``; created if it does not exist.
            private: whether a new one is.
            revision: the branch; None: main.
            commit_message: of the commit.

        Raises:
            ModelError: the hub refuses it; log in first (``hf auth login``).
        """
        return push(self._model_files(), repo, private, revision, commit_message)

    def _model_files(self) -> Path:
        if self._exported is not None:
            raise ModelError(
                f"{self.source} is an exported file: save or push the model that it was made of."
            )
        return self.source

    def half(self) -> "Predictor":
        """Compute in float16 like ``precision="16-mixed"``; return the predictor itself.

        The weights stay in float32, and so does what float16 has not the range for.

        Raises:
            ConfigError: the model is an exported file.
        """
        if self._exported is not None:
            raise _own_precision("16-mixed")
        self._precision = "16-mixed"
        return self.to(self.device)

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a path is an iterable of letters too
        self, source: Source, *, confidence: bool = ...
    ) -> Result: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, source: list[Any] | tuple[Any, ...], *, confidence: bool = ...
    ) -> list[Result]: ...
    @overload
    def __call__(self, source: Iterable[Any], *, confidence: bool = ...) -> Iterator[Result]: ...

    def __call__(self, source: Any, *, confidence: bool = False) -> Any:
        """Predict an image or several.

        Args:
            source: an image: the path of a file; a picture of Pillow; an array (H, W, C) with the
                model's `channels` in their type, which is `uint8` RGB for most models, or (H, W),
                grey; a tensor (C, H, W) of the same type. Files and pictures are turned as their
                EXIF tag says; of an animation the first picture counts. Arrays of floats are
                refused by a model of 8-bit images, whatever their range: pass
                ``(255 * image).round().astype(np.uint8)`` if that is 0 to 1. Or a list of images,
                or any other iterable of them.
            confidence: compute `Result.confidence` along with the mask.

        Returns:
            A `Result` for an image, a list of them for a list or a tuple, and for another iterable
            a lazy iterator, in the order of the images. On a GPU neighbours of one size are
            predicted together; at most `AT_ONCE` images are read ahead.

        Raises:
            DataError: an image cannot be read. Results of those before it are given first.
            ModelError: an image has other channels or another type; the message says what to type.
        """
        if isinstance(source, str | os.PathLike | Image.Image | np.ndarray | Tensor):
            return next(self._results([source], confidence))
        if not isinstance(source, Iterable):
            read_source(source, self.reader)  # raises
        results = self._results(source, confidence)
        return list(results) if isinstance(source, list | tuple) else results

    def _results(self, sources: Iterable[Any], confidence: bool) -> Iterator[Result]:
        for chunk, error in self._chunks(sources):
            results: dict[int, Result] = {}
            sizes = [image.pixels.shape for _, image in chunk]
            for size in dict.fromkeys(sizes):
                numbers = [i for i, other in enumerate(sizes) if other == size]
                found = self._predict([chunk[i] for i in numbers], confidence)
                results |= dict(zip(numbers, found, strict=True))
            yield from (results[i] for i in range(len(chunk)))
            if error is not None:
                raise error

    def _chunks(
        self, sources: Iterable[Any]
    ) -> Iterator[tuple[list[tuple[Path | None, Decoded]], SegmentationError | None]]:
        """Yield images that are predicted together, and the error of the next, if it is the end."""
        chunk: list[tuple[Path | None, Decoded]] = []
        for source in sources:
            try:
                chunk.append((path_of(source), read_source(source, self.reader)))
            except SegmentationError as error:
                yield chunk, error
                return
            if len(chunk) == self._most or prod(chunk[-1][1].pixels.shape[:2]) > MAX_WHOLE:
                yield chunk, None
                chunk = []
        yield chunk, None

    @property
    def _most(self) -> int:
        return 1 if self.device.type == "cpu" else AT_ONCE

    @torch.inference_mode()
    def _predict(
        self, chunk: Sequence[tuple[Path | None, Decoded]], confidence: bool
    ) -> list[Result]:
        """Return the results for images of one size."""
        size, number = chunk[0][1].pixels.shape[:2], len(chunk)
        parts, targets = self._run([image.pixels for _, image in chunk])
        masks = np.empty((number, *size), np.uint8)
        certain = np.empty((number, *size), np.float32) if confidence else None
        for rows, columns, logits in parts:
            masks[:, rows, columns] = logits.argmax(dim=1).to(torch.uint8).cpu().numpy()
            if certain is not None:
                certain[:, rows, columns] = self._softmax(logits).amax(dim=1).cpu().numpy()
        results = []
        for index, (path, image) in enumerate(chunk):
            labels = masks[index] if self.classes is not None else None
            known = None if certain is None or labels is None else certain[index]
            if image.valid is not None and labels is not None:
                labels[~image.valid] = VOID
                if known is not None:
                    known[~image.valid] = 0
            probabilities, values = self._targets_of(targets, index)
            results.append(Result(image, path, labels, probabilities, values, self, known))
        return results

    def _targets_of(
        self, targets: TargetOutputs | None, index: int
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Return the probabilities of the categories and the values of an image, by name."""
        if targets is None or self.head is None or self.columns is None:
            return {}, {}
        categories = targets.category[index].softmax(dim=0).tolist()
        values = self.head.in_units(targets.values)[index].tolist()
        return (
            dict(zip(self.columns.categories, categories, strict=True)),
            dict(zip(self.columns.values, values, strict=True)),
        )

    @torch.inference_mode()
    def probabilities(self, image: Decoded) -> np.ndarray:
        """Return the probabilities of an image, see `Result.probabilities`."""
        parts, _ = self._run([image.pixels])
        size, found = image.pixels.shape[:2], None
        for rows, columns, logits in parts:
            if found is None:
                found = np.empty((logits.shape[1], *size), np.float32)
            found[:, rows, columns] = self._softmax(logits)[0].cpu().numpy()
        assert found is not None
        if image.valid is not None:
            found[:, ~image.valid] = 0
        return found

    def confidence(self, image: Decoded) -> np.ndarray:
        """Return the confidence of an image, see `Result.confidence`."""
        (result,) = self._predict([(None, image)], confidence=True)
        return result.confidence

    def check_confidence(self) -> None:
        """Check that the model tells how sure its labels are.

        Raises:
            ModelError: it is a file that gives labels alone.
        """
        if self._exported is not None and self._exported.labels_only:
            raise ModelError(
                f"{self.source} gives labels, and nothing on how sure they are: export the model "
                "with head=logits."
            )

    def _softmax(self, logits: Tensor) -> Tensor:
        self.check_confidence()
        return logits.float().softmax(dim=1)

    def _run(self, images: Batch) -> tuple[Iterator[Part], TargetOutputs | None]:
        """Return the logits of images of one size, a part at a time, and their targets."""
        height, width = images[0].shape[:2]
        seen = self.seen_size(height, width)
        if prod(seen) > MAX_WHOLE and not self.takes_whole_images:
            return self._in_windows(images, seen[0] / height), None
        found = self._forward([resize_image(image, seen) for image in images])
        if found.logits is None:
            return iter(()), found.targets
        everywhere = slice(0, height), slice(0, width)
        return _parts(found.logits, (height, width), everywhere, (0, 0)), found.targets

    def _in_windows(self, images: Batch, zoom: float) -> Iterator[Part]:
        """Yield the logits of images, window by window; see `tiles` for the windows."""
        for inner, outer in tiles(images[0].shape, zoom):
            cut = [image[outer] for image in images]
            size = cut[0].shape[:2]
            seen = size if zoom == 1 else (round(size[0] * zoom), round(size[1] * zoom))
            logits = self._forward([resize_image(image, seen) for image in cut]).logits
            assert logits is not None
            corner = outer[0].start, outer[1].start
            yield from _parts(logits, size, inner, corner)

    @property
    def takes_whole_images(self) -> bool:
        """Whether a part of an image is not predicted as it is within the image."""
        resizes = self._exported is not None and self._exported.export.resizes
        return resizes or self.size is not None or self.columns is not None

    def seen_size(self, height: int, width: int) -> Size:
        """Return the height and width that an image is resized to before the forward pass.

        Args:
            height, width: the image's own, in pixels.
        """
        if self.size is not None:
            return self.size
        zoom = 1.0
        if isinstance(self._short_side, int):
            zoom = self._short_side / min(height, width)
        elif self._short_side == "auto" and self.learnt_size is not None:
            zoom = min(self.learnt_size) / min(height, width)
            if 0.5 <= zoom <= 2:
                zoom = 1.0
            # a long strip would become huge
            zoom = min(zoom, sqrt(MAX_ENLARGEMENT * prod(self.learnt_size) / (height * width)))
        return max(1, round(height * zoom)), max(1, round(width * zoom))

    @torch.inference_mode()
    def predict_window(self, pixels: np.ndarray) -> np.ndarray:
        """Return the labels of a part of an image at its own size, `uint8` (H, W).

        Args:
            pixels: (H, W, C), see `__call__`.

        Raises:
            ModelError: other channels, another type, or a model that does not segment.
        """
        logits = self._forward([read_source(pixels, self.reader).pixels]).logits
        if logits is None:
            raise ModelError("this model predicts image-level targets only: it does not segment.")
        return logits.argmax(dim=1)[0].to(torch.uint8).cpu().numpy()

    def _forward(self, images: Batch) -> Outputs:
        """Return the model's outputs for images as they are."""
        pixels = np.stack(images)
        if pixels.dtype == np.uint16:  # which PyTorch does not compute with
            pixels = pixels.astype(np.float32)
        batch = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
            return outputs(self.model, batch.to(self.device))

    def facts(self) -> dict[str, Any]:
        """Return all that a prediction depends on besides its image, as plain values."""
        return {
            "weights": self.weights,
            "dtype": str(self.dtype),
            "short_side": self._short_side,
            "inference": self.options.to_dict(),
            "channels": self.channels.to_dict(),
            "sizes": [self.size, self.learnt_size],
        }


def _device(name: str | torch.device) -> torch.device:
    """Return a device of this machine, such as ``"cuda:1"``; ``"auto"`` is a GPU if there is one.

    Raises:
        ConfigError: there is none of that name.
    """
    kind, colon, index = str(name).partition(":")
    kind = pick_accelerator(kind, "device")
    try:
        return torch.device(kind + colon + index)
    except RuntimeError as error:
        raise ConfigError(
            f"device={name}: write a number after the colon, as in cuda:0."
        ) from error


def _own_precision(precision: str) -> ConfigError:
    return ConfigError(
        f"precision={precision}: an exported file computes in its own. Omit it, or export with "
        "precision=fp16."
    )


def _check_options(
    loaded: LoadedModel, options: InferenceOptions, short_side: int | str | None, precision: str
) -> None:
    """Check that a model takes images of the size that the options make of them.

    Raises:
        ConfigError: it resizes them itself, or is an exported file of another precision.
    """
    if isinstance(loaded, ExportedModel):
        if precision not in ("auto", "32-true"):
            raise _own_precision(precision)
        check_views(loaded.export, options)
        if short_side not in ("auto", None) and loaded.export.resizes:
            raise ConfigError(
                f"short_side={short_side}: the exported file resizes images itself. Omit it."
            )
    if loaded.size is not None and short_side not in ("auto", None):
        raise ConfigError(
            f"short_side={short_side}: this model was trained with images resized to "
            f"{loaded.size[0]}x{loaded.size[1]}, and takes no others. Omit short_side."
        )


def _parts(logits: Tensor, size: Size, inner: tuple[slice, slice], corner: Size) -> Iterator[Part]:
    """Yield the logits of a window, a strip at a time.

    Args:
        logits: what the model made of the window.
        size: (height, width) of the window.
        inner: what is wanted of it, as rows and columns of the image.
        corner: the row and column of the image at which the window starts.
    """
    top, left = corner
    rows, columns = inner
    within = slice(columns.start - left, columns.stop - left)
    for strip, part in strips(logits, size, slice(rows.start - top, rows.stop - top)):
        yield Part(slice(strip.start + top, strip.stop + top), columns, part[..., within])
