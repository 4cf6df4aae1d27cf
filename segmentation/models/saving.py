"""Save a model as JSON and safetensors; load one from there, a checkpoint or a run directory."""

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from segmentation.classes import ClassTable
from segmentation.data.images.channels import RGB, Channels
from segmentation.errors import ModelError, SegmentationError
from segmentation.model_files import TENSORS, WANTED, existing_model
from segmentation.models.description import MAX_SIDE, Model, describe_model, parse_description
from segmentation.models.tensors import check_shapes, check_values
from segmentation.models.weights_files import read_checkpoint, read_state_dict
from segmentation.system.files import MAX_JSON_BYTES, read_bounded, sync
from segmentation.system.plain_data import check_plain

CONFIG = "config.json"
LEARNT_SIZE = "learnt_size"
"""Key of a model's `extra`: the median H,W of its training images."""
CHANNELS = "channels"
"""Key of a model's `extra`: the `Channels` of its images; models of before took RGB alone."""


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for inference.

    Args:
        model: in evaluation mode, on the CPU.
        classes: what its logits mean; None for a model that does not segment.
        size: H,W that images were resized to for it; None for their own size.
        info: its whole description, see `describe_model`.
    """

    model: Model
    classes: ClassTable | None
    size: tuple[int, int] | None
    info: dict[str, Any]

    @property
    def learnt_size(self) -> tuple[int, int] | None:
        """The median H,W of the model's training images; None if unknown."""
        size = self.info["extra"].get(LEARNT_SIZE)
        if not isinstance(size, list) or len(size) != 2:
            return None
        valid = all(type(side) is int and 1 <= side <= MAX_SIDE for side in size)
        return (size[0], size[1]) if valid else None

    @property
    def channels(self) -> Channels:
        """The channels of the model's images, see `channels_of`."""
        return channels_of(self.info)


def channels_of(info: dict[str, Any]) -> Channels:
    """Return the channels of a model's images; numbered 8-bit ones where they are unknown.

    Args:
        info: the model's description, see `describe_model`.
    """
    count = info["encoder"]["in_channels"]
    channels = Channels.from_dict(info["extra"].get(CHANNELS))
    if channels is not None and len(channels) == count:
        return channels
    if count == 3:
        return RGB
    return Channels(tuple(range(1, count + 1)), ("",) * count, total=count)


def extra_of(size: tuple[int, int] | None, channels: Channels) -> dict[str, Any]:
    """Return the `extra` of a model, see `describe_model`.

    Args:
        size: the median H,W of its training images; None if unknown.
        channels: of its images.
    """
    extra: dict[str, Any] = {} if size is None else {LEARNT_SIZE: list(size)}
    return extra if channels == RGB else extra | {CHANNELS: channels.to_dict()}


def save_model(
    model: Model,
    directory: str | Path,
    classes: ClassTable | None,
    size: tuple[int, int] | None,
    extra: dict[str, Any] | None = None,
    half: bool = False,
) -> None:
    """Write a directory that is safe to share: `config.json` and `model.safetensors`, no code.

    Each file is replaced in one step, so a crash leaves the old one.

    Args:
        model, classes, size, extra: see `describe_model`.
        directory: created if missing.
        half: store the weights of convolutions and linear layers in float16, for half the size;
            loading converts them back to float32.

    Raises:
        ModelError: the files can't be written, or a weight is too large for float16.
    """
    directory = Path(directory)
    description = json.dumps(describe_model(model, classes, size, extra), indent=2) + "\n"
    tensors = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    if half:
        # nearly all of the size; norms and the normalisation of images stay exact
        kernels = {key for key, value in model.named_parameters() if value.ndim > 1}
        tensors |= {key: _halved(key, tensors[key]) for key in kernels}
    parts = [directory / f"{name}.part" for name in (TENSORS, CONFIG)]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        save_file(tensors, parts[0])
        parts[1].write_text(description, encoding="utf-8")
        parts[0].chmod(parts[1].stat().st_mode)  # safetensors lets nobody else read its files
        for part in parts:
            sync(part)
            os.replace(part, part.with_suffix(""))
    except (OSError, SafetensorError) as error:
        for part in parts:
            with contextlib.suppress(OSError):
                part.unlink()
        raise ModelError(f"{directory}: the model can't be written: {error}") from error


def _halved(name: str, value: Tensor) -> Tensor:
    rounded = value.half()
    if not bool(rounded.isfinite().all()):
        raise ModelError(f"{name} has values too large for float16: save with half=false.")
    return rounded


def load_model(path: str | Path) -> LoadedModel:
    """Load a model that this project saved or trained. Never looks for encoder weights.

    Args:
        path: a directory of `save_model`, a checkpoint (`.ckpt`), a run directory, or the name of
            a `shipped` model. From a run directory `checkpoints/best.ckpt` is loaded, or the same
            weights in `model/` if the checkpoints were deleted.

    Raises:
        ModelError: none of these, a file that can't be read safely, or not a model of this
            project.
    """
    path = existing_model(path)
    if path.is_file():
        if path.suffix == ".safetensors":
            return _from_directory(path.parent)
        if path.suffix != ".ckpt":
            raise ModelError(f"{path} is not a model. {WANTED}")
        return _from_checkpoint(path)
    if (path / TENSORS).is_file() or (path / CONFIG).is_file():
        return _from_directory(path)
    best = path / "checkpoints" / "best.ckpt"
    if best.is_file():
        return _from_checkpoint(best)
    if (path / "model" / TENSORS).is_file():
        return _from_directory(path / "model")
    if (path / "jobs.csv").is_file():
        raise ModelError(f"{path} is a sweep: give one of its runs, such as {path}/<job>.")
    others = sorted(str(other) for other in path.glob("checkpoints/*.ckpt"))
    raise ModelError(
        f"{path} is neither a run directory with checkpoints/best.ckpt nor a model directory "
        f"with {CONFIG} and {TENSORS}. {WANTED}"
        + (f" It has {', '.join(others)}: give that." if others else "")
    )


def _from_directory(directory: Path) -> LoadedModel:
    try:
        description = json.loads(read_bounded(directory / CONFIG, MAX_JSON_BYTES))
    except FileNotFoundError as error:
        raise ModelError(f"{directory} has no {CONFIG}: it is not a model directory.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{directory / CONFIG} is not JSON: {error}.") from error
    return restore_model(description, read_state_dict(directory / TENSORS), directory)


def _from_checkpoint(path: Path) -> LoadedModel:
    content = read_checkpoint(path)
    if "model" not in content or not isinstance(content.get("state_dict"), dict):
        raise ModelError(
            f"{path} is not a checkpoint of this project: it lacks `model` or `state_dict`. "
            "segmentation.models.load_smp reads those of segmentation_models_pytorch.Unet."
        )
    state = {
        # a compiled model's keys have one more prefix
        key.removeprefix("model.").removeprefix("_orig_mod."): value
        for key, value in content["state_dict"].items()
        if key.startswith("model.")
    }
    return restore_model(content["model"], state, path)


def restore_model(description: Any, state: dict[str, Tensor], where: Path) -> LoadedModel:
    """Build the model of a description and load its tensors.

    Args:
        description: what `describe_model` returned; a stranger may have written it, so the tensors
            are compared with a model on the meta device, which takes no memory, before it is built.
        state: the model's state dict.
        where: the file, for messages.

    Raises:
        ModelError: the description is invalid, or the tensors are not those of the model, or not
            finite.
    """
    try:
        parsed = parse_description(description)
        check_plain(description)
        with torch.device("meta"):
            expected, classes = parsed.build().state_dict(), parsed.class_table()
    except (SegmentationError, ValueError) as error:
        raise ModelError(f"{where} does not describe a model of this project: {error}") from error
    check_shapes(state, expected, str(where))
    check_values(state, str(where))
    model = parsed.build()
    model.load_state_dict(state)
    size = None if parsed.size is None else (parsed.size[0], parsed.size[1])
    return LoadedModel(model.eval(), classes, size, description)


def weights_hash(model: nn.Module) -> str:
    """Hash all parameters and buffers; the same on every device.

    Models with the same hash make the same predictions; more training changes it.
    """
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        flat = value.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().data if flat.numel() else b"")
    return digest.hexdigest()[:32]
