"""Weights files: read them without running their code, and fit their tensors to a model."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from segmentation.errors import ModelError
from segmentation.models.timm_import import timm

TENSORS = "model.safetensors"
PLACES = (TENSORS, "checkpoints/best.ckpt", f"model/{TENSORS}")
"""Where directories of this project hold weights: a model's, then a run's, then one of a run whose
checkpoints were deleted."""


def weights_file(path: Path) -> Path | None:
    """Return the weights of a model or run directory, a file as it is, or None."""
    if path.is_file():
        return path
    return next((path / place for place in PLACES if (path / place).is_file()), None)


def read_checkpoint(path: Path) -> dict:
    """Read what `torch.save` wrote, as plain values and tensors, on the CPU.

    Raises:
        ModelError: no such file, not a file of `torch.save`, or one whose pickle asks for code.
    """
    if not path.is_file():
        raise ModelError(f"{path}: there is no such file.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or hostile pickle can raise
        reason = "it needs Python code to be read" if "GLOBAL" in str(error) else "it is damaged"
        raise ModelError(
            f"{path} is not a PyTorch weights file that can be read safely ({reason}). "
            "Save only tensors: torch.save(model.state_dict(), path), or safetensors."
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds a {type(content).__name__}, not a state dict.")
    return content


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a `.safetensors` file or from one that `torch.save` wrote.

    A training checkpoint is searched for `state_dict`, then `model`.

    Raises:
        ModelError: the file cannot be read safely, or holds no tensors by name.
    """
    if path.suffix == ".safetensors":
        if not path.is_file():
            raise ModelError(f"{path}: there is no such file.")
        try:
            return load_file(path)
        except Exception as error:  # SafetensorError, and what the header's parser can raise
            raise ModelError(f"{path} is not a safetensors file: {error}.") from error
    content = read_checkpoint(path)
    for key in ("state_dict", "model"):
        if isinstance(content.get(key), dict):
            content = content[key]
            break
    tensors = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ModelError(f"{path} holds no tensors by name: it is not a state dict.")
    return tensors


def find_prefix(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], where: str) -> str:
    """Return what stands before the encoder's keys in `state`, such as ``"module."``.

    Raises:
        ModelError: the file holds all of the encoder more than once.
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
        raise ModelError(f"{where} holds the encoder {len(best)} times, under {best}. Keep one.")
    return best[0] if best else ""


def load_body(body: nn.Module, state: Mapping[str, Tensor], in_channels: int, where: str) -> str:
    """Load tensors named as timm names them into a timm feature extractor.

    Tensors that the extractor does not have (a classifier's) are left out. A first convolution
    for 3 channels is adapted to `in_channels` as timm does it: summed for one channel, else
    repeated and scaled.

    Args:
        body: what `timm.create_model(..., features_only=True)` returns.
        state: tensors by timm's names, under any one prefix.
        in_channels: channels of the image that `body` takes.
        where: the file, for messages.

    Returns:
        The prefix of the tensors in `state`.

    Raises:
        ModelError: tensors are missing or have another shape.
    """
    expected = body.state_dict()
    prefix = find_prefix(state, expected, where)
    fitted, missing, misfits = {}, [], []
    for key, target in expected.items():
        found = _find(key, prefix, state)
        if found is None:
            # a counter that files from before PyTorch 0.4 lack, and that only momentum=None reads
            if not key.endswith("num_batches_tracked"):
                missing.append(key)
            continue
        value = state[found]
        if value.ndim == 4 and value.shape[1] == 3 and target.shape[1] == in_channels:
            value = timm.models.adapt_input_conv(in_channels, value)
        if value.shape != target.shape:
            misfits.append(f"{found} {list(value.shape)} for {list(target.shape)}")
        fitted[key] = value
    if missing or misfits:
        problems = [
            f"{len(items)} of {len(expected)} tensors {what}: {', '.join(items[:3])}"
            + (", ..." if len(items) > 3 else "")
            for items, what in ((missing, "are missing"), (misfits, "have another shape"))
            if items
        ]
        raise ModelError(
            f"{where} does not fit the encoder: {'; '.join(problems)}. "
            "Give a file for this very encoder, with timm's names."
        )
    body.load_state_dict(fitted, strict=False)
    return prefix


def _find(key: str, prefix: str, state: Mapping[str, Tensor]) -> str | None:
    return next((prefix + k for k in _spellings(key) if prefix + k in state), None)


def _spellings(key: str) -> list[str]:
    """Return the names that timm's whole model may have for a tensor of its feature extractor.

    The extractor holds a stage `stages.0` as `stages_0`, or the whole model as `model` or `body`.
    """
    top, _, rest = key.partition(".")
    flat = [key] + [f"{top[:i]}.{top[i + 1 :]}.{rest}" for i, c in enumerate(top) if c == "_"]
    return [*flat, rest] if top in ("model", "body") else flat
