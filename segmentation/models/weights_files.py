"""Read weights files without executing code, and load their tensors into a model."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from segmentation.errors import ModelError, listed
from segmentation.models.tensors import check_archive, check_values
from segmentation.models.timm_import import timm

MAX_HEADER_BYTES = 2**24
"""Of a safetensors file."""


def read_checkpoint(path: Path) -> dict:
    """Read a file of `torch.save` as plain values and tensors on the CPU.

    Raises:
        ModelError: no such file, not a file of `torch.save`, or one that needs code.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file.")
    try:
        archive = zipfile.is_zipfile(path)
        if archive:
            check_archive(path)
        # mapped: what a file claims to hold takes no memory until it is used
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except ModelError:
        raise
    except Exception as error:  # whatever a damaged or hostile pickle can raise
        reason = "it needs Python code" if "GLOBAL" in str(error) else "it is damaged"
        raise ModelError(
            f"{path} is not a PyTorch weights file that can be read safely ({reason}). "
            "Save only tensors: torch.save(model.state_dict(), path), or safetensors."
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds a {type(content).__name__}, not a state dict.")
    return content


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a `.safetensors` file or a file of `torch.save`.

    In a training checkpoint it is under `state_dict` or `model`.

    Raises:
        ModelError: the file can't be read safely, or has no named tensors.
    """
    if path.suffix == ".safetensors":
        if not path.is_file():
            raise ModelError(f"{path}: no such file.")
        try:
            with path.open("rb") as file:
                if int.from_bytes(file.read(8), "little") > MAX_HEADER_BYTES:
                    raise ValueError("its header is too large")
            return load_file(path)  # mapped, as in `read_checkpoint`
        except Exception as error:  # SafetensorError, or an error of the header's parser
            raise ModelError(f"{path} is not a safetensors file: {error}.") from error
    content = read_checkpoint(path)
    for key in ("state_dict", "model"):
        if isinstance(content.get(key), dict):
            content = content[key]
            break
    tensors = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ModelError(f"{path} has no named tensors: it is not a state dict.")
    return tensors


def find_prefix(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], where: str) -> str:
    """Find the prefix of the encoder's keys in `state`, such as ``"module."``.

    Raises:
        ModelError: the file has the whole encoder more than once.
    """
    anchors = _spellings(next(iter(expected)))
    prefixes = {
        key.removesuffix(anchor)
        for key in state
        for anchor in anchors
        if key == anchor or key.endswith("." + anchor)
    }
    counts = {
        prefix: sum(_find(key, prefix, state) is not None for key in expected)
        for prefix in sorted(prefixes)
    }
    best = [prefix for prefix, count in counts.items() if count == max(counts.values())]
    if len(best) > 1 and counts[best[0]] == len(expected):
        raise ModelError(f"{where} has the encoder {len(best)} times, under {best}. Keep one.")
    return best[0] if best else ""


def load_body(body: nn.Module, state: Mapping[str, Tensor], in_channels: int, where: str) -> str:
    """Load tensors with timm's names into a timm feature extractor.

    Tensors that the extractor doesn't have (a classifier's) are skipped. A first convolution
    for 3 channels is adapted to `in_channels` as timm does it: summed for one channel, else
    repeated and scaled.

    Args:
        body: a model of `timm.create_model(..., features_only=True)`.
        state: tensors by timm's names, under any single prefix.
        in_channels: input channels of `body`.
        where: the file, for messages.

    Returns:
        The prefix of the tensors in `state`.

    Raises:
        ModelError: tensors are missing, have another shape or are not finite.
    """
    expected = body.state_dict()
    prefix = find_prefix(state, expected, where)
    fitted, missing, misfits = {}, [], []
    for key, target in expected.items():
        name = _find(key, prefix, state)
        if name is None:
            # files from before PyTorch 0.4 lack this counter; only momentum=None uses it
            if not key.endswith("num_batches_tracked"):
                missing.append(key)
            continue
        value = state[name]
        if value.ndim == 4 and value.shape[1] == 3 and target.shape[1] == in_channels:
            value = timm.models.adapt_input_conv(in_channels, value)
        if value.shape != target.shape:
            misfits.append(f"{name} {list(value.shape)} for {list(target.shape)}")
        fitted[key] = value
    if missing or misfits:
        problems = [
            f"{len(keys)} of {len(expected)} tensors {problem}: {listed(keys, 3)}"
            for keys, problem in ((missing, "are missing"), (misfits, "have another shape"))
            if keys
        ]
        raise ModelError(
            f"{where} does not fit the encoder: {'; '.join(problems)}. "
            "Pass a file for this encoder, with timm's names."
        )
    check_values(fitted, where)
    body.load_state_dict(fitted, strict=False)
    return prefix


def _find(key: str, prefix: str, state: Mapping[str, Tensor]) -> str | None:
    return next((prefix + k for k in _spellings(key) if prefix + k in state), None)


def _spellings(key: str) -> list[str]:
    """List the names that a tensor of a feature extractor may have in timm's whole model.

    The extractor has a stage `stages.0` as `stages_0`, or the whole model as `model` or `body`.
    """
    top, _, rest = key.partition(".")
    flat = [key] + [f"{top[:i]}.{top[i + 1 :]}.{rest}" for i, c in enumerate(top) if c == "_"]
    return [*flat, rest] if top in ("model", "body") else flat
