"""Check tensors that a stranger may have written, before a model is built for them."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from segmentation.errors import ModelError


def check_shapes(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], where: str) -> None:
    """Check that a state dict has the tensors of a model, and holds every value that they show.

    Args:
        state: of a file.
        expected: of the model; on the meta device, so that it takes no memory.
        where: the file, for messages.

    Raises:
        ModelError: a tensor is missing, is not the model's, or has another shape or kind.
    """
    problems = [f"{key} is missing" for key in expected if key not in state]
    problems += [f"{key} is not the model's" for key in state if key not in expected]
    problems += [
        f"{key} {problem}"
        for key, tensor in expected.items()
        if key in state and (problem := _misfit(state[key], tensor))
    ]
    if problems:
        more = "; ..." if len(problems) > 3 else "."
        raise ModelError(
            f"{where}: {len(problems)} tensors do not fit the description: "
            f"{'; '.join(problems[:3])}{more}"
        )
    # A view of a single number has any shape: the model would be larger than its file.
    stored = {
        value.untyped_storage().data_ptr(): value.untyped_storage() for value in state.values()
    }
    shown = sum(value.numel() * value.element_size() for value in state.values())
    if shown > sum(storage.nbytes() for storage in stored.values()):
        raise ModelError(f"{where} shows {shown:,} bytes of tensors, and holds fewer.")


def _misfit(value: object, expected: Tensor) -> str | None:
    if not isinstance(value, Tensor):
        return f"is a {type(value).__name__}"
    if value.shape != expected.shape:
        return f"has shape {list(value.shape)}, not {list(expected.shape)}"
    plain = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
    if not plain or value.is_floating_point() != expected.is_floating_point():
        return f"is {value.dtype} ({value.layout}, {value.device.type}), not {expected.dtype}"
    return None


def check_values(state: Mapping[str, Tensor], where: str) -> None:
    """Check that all numbers are finite, standard deviations above 0, variances not below.

    Raises:
        ModelError: they are not; the message names the tensor.
    """
    for key, value in state.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ModelError(f"{where}: {key} holds numbers that are not finite.")
        name = key.rpartition(".")[2]
        if name == "std" and not bool((value.float() > 0).all()):
            raise ModelError(f"{where}: {key} holds a standard deviation that is not above 0.")
        if name == "running_var" and not bool((value >= 0).all()):
            raise ModelError(f"{where}: {key} holds a variance below 0.")


def check_archive(path: Path) -> None:
    """Check that a file of `torch.save` holds its tensors as they are, without compression.

    Raises:
        ModelError: a member is compressed, or is larger than the file.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ModelError(f"{path} is compressed, which torch.save does not do: it is damaged.")
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise ModelError(f"{path} says that it holds more bytes than it has: it is damaged.")
