"""Save a model as JSON and safetensors; load one from there, from a checkpoint or from a run."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from segmentation.classes import ClassTable
from segmentation.errors import ModelError
from segmentation.models.description import FORMAT, MAX_SIDE, Model, restore
from segmentation.models.shipped import located, shipped
from segmentation.models.unet import UNet
from segmentation.models.weights_files import TENSORS, read_checkpoint, read_state_dict

CONFIG = "config.json"
LEARNT_SIZE = "learnt_size"
"""In a model's `extra`: H,W of the images that it learnt from, their median."""
WANTED = "Give a run directory (such as runs/<name>), a .ckpt, or a model directory."


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for use, and what belongs to it.

    Args:
        model: in evaluation mode, on the CPU.
        classes: what its logits mean; None of a model that does not segment.
        size: H,W to which images were resized for it; None for their own size.
        info: the whole description, `describe_model`'s.
    """

    model: Model
    classes: ClassTable | None
    size: tuple[int, int] | None
    info: dict[str, Any]

    @property
    def learnt_size(self) -> tuple[int, int] | None:
        """H,W of the images that the model learnt from, the median; None where that is not kept."""
        size = self.info["extra"].get(LEARNT_SIZE)
        sound = (
            isinstance(size, list) and len(size) == 2 and all(type(side) is int for side in size)
        )
        return (size[0], size[1]) if sound and 0 < min(size) <= max(size) <= MAX_SIDE else None


def describe_model(
    model: Model,
    classes: ClassTable | None,
    size: tuple[int, int] | None,
    extra: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return all but the tensors, as plain values: what `config.json` and checkpoints hold.

    Args:
        model: the model.
        classes: what its logits mean; None of a model that does not segment.
        size: H,W to which images are resized for it; None for their own size.
        extra: more to keep with it, in values that JSON has.
    """
    encoder, head = model.encoder, model.target_head
    targets = head and head.columns.to_dict() | {"dropout": head.dropout.p}
    return {
        "format": FORMAT,
        "encoder": {
            "name": encoder.name,
            "in_channels": encoder.in_channels,
            "mean": list(encoder.mean),
            "std": list(encoder.std),
            "source": encoder.source,
            "pretrained": encoder.pretrained,
        },
        "decoder": _decoder(model) if isinstance(model, UNet) else None,
        "classes": None if classes is None else classes.to_dict(),
        "size": None if size is None else list(size),
        "targets": targets,
        "extra": extra or {},
    }


def _decoder(model: UNet) -> dict[str, Any]:
    return asdict(model.options) | {"channels": list(model.options.channels)}


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
        directory: it is made if it is not there.
        half: round the kernels of convolutions and the like to float16, for half the size; a
            model that is loaded from there has them in float32 all the same.

    Raises:
        ModelError: the files cannot be written, or a weight is too large for float16.
    """
    directory = Path(directory)
    description = json.dumps(describe_model(model, classes, size, extra), indent=2) + "\n"
    tensors = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    if half:
        # kernels are nearly all there is; norms and the normalisation of images stay exact
        kernels = {key for key, value in model.named_parameters() if value.ndim > 1}
        tensors |= {key: _halved(key, tensors[key]) for key in kernels}
    parts = [directory / f"{name}.part" for name in (TENSORS, CONFIG)]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        save_file(tensors, parts[0])
        parts[1].write_text(description, encoding="utf-8")
        parts[0].chmod(parts[1].stat().st_mode)  # safetensors lets nobody else read its files
        for part in parts:
            os.replace(part, part.with_suffix(""))
    except (OSError, SafetensorError) as error:
        for part in parts:
            with contextlib.suppress(OSError):
                part.unlink()
        raise ModelError(f"{directory}: the model cannot be written: {error}") from error


def _halved(name: str, value: Tensor) -> Tensor:
    rounded = value.half()
    if not bool(rounded.isfinite().all()):
        raise ModelError(f"{name} holds numbers too large for float16: save it with half=false.")
    return rounded


def load_model(path: str | Path) -> LoadedModel:
    """Load a model that this project saved or trained. Never looks for encoder weights.

    Args:
        path: a directory of `save_model`, a Lightning checkpoint (`.ckpt`), or a run directory, of
            which `checkpoints/best.ckpt` is taken, or where checkpoints were deleted the same
            weights in `model/`; or a name of `shipped`.

    Raises:
        ModelError: none of these, a file that cannot be read safely, or one that does not hold a
            model of this project.
    """
    typed, path = path, located(path)
    if path.is_file():
        if path.suffix == ".safetensors":
            return _from_directory(path.parent)
        if path.suffix != ".ckpt":
            raise ModelError(f"{path} is no model. {WANTED}")
        return _from_checkpoint(path)
    if not path.is_dir():
        raise ModelError(
            f"{typed}: there is no such file or directory. {WANTED} Models that come with the "
            f"project go by name alone: {', '.join(shipped())}."
        )
    if (path / TENSORS).is_file() or (path / CONFIG).is_file():
        return _from_directory(path)
    best = path / "checkpoints" / "best.ckpt"
    if best.is_file():
        return _from_checkpoint(best)
    if (path / "model" / TENSORS).is_file():
        return _from_directory(path / "model")
    if (path / "jobs.csv").is_file():
        raise ModelError(f"{path} is a sweep: name one of its runs, such as {path}/<job>.")
    others = sorted(str(other) for other in path.glob("checkpoints/*.ckpt"))
    raise ModelError(
        f"{path} is no run directory with checkpoints/best.ckpt, nor a model directory with "
        f"{CONFIG} and {TENSORS}. {WANTED}"
        + (f" It has {', '.join(others)}: give that." if others else "")
    )


def _from_directory(directory: Path) -> LoadedModel:
    try:
        description = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{directory} has no {CONFIG}: it is no model directory.") from error
    except ValueError as error:
        raise ModelError(f"{directory / CONFIG} is not JSON: {error}.") from error
    return _loaded(description, read_state_dict(directory / TENSORS), directory)


def _from_checkpoint(path: Path) -> LoadedModel:
    content = read_checkpoint(path)
    if "model" not in content or not isinstance(content.get("state_dict"), dict):
        raise ModelError(
            f"{path} is no checkpoint of this project: it lacks `model` or `state_dict`. "
            "segmentation.models.load_smp reads those of segmentation_models_pytorch.Unet."
        )
    state = {
        # a compiled model's keys have one more prefix
        key.removeprefix("model.").removeprefix("_orig_mod."): value
        for key, value in content["state_dict"].items()
        if key.startswith("model.")
    }
    return _loaded(content["model"], state, path)


def _loaded(description: Any, state: dict[str, Tensor], where: Path) -> LoadedModel:
    model, classes, size = restore(description, state, str(where))
    return LoadedModel(model.eval(), classes, size, description)
