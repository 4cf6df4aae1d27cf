"""Read checkpoints of `segmentation_models_pytorch.Unet`, without that package."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from segmentation.errors import ModelError
from segmentation.models.encoder import Encoder, spread
from segmentation.models.tensors import check_values
from segmentation.models.unet import UNet
from segmentation.models.weights import IMAGENET_MEAN, IMAGENET_STD
from segmentation.models.weights_files import load_body, read_state_dict
from segmentation.system.files import MAX_JSON_BYTES, read_bounded

log = logging.getLogger(__name__)

ENCODERS = (
    *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)),
    *(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
)
"""SMP's encoders with the same tensors as timm's models of the same name."""

HEAD = "segmentation_head.0.weight"

RENAMED = (
    (r"^segmentation_head\.0\.", "head."),
    (r"\.attention\.cSE\.", ".channel."),
    (r"\.attention\.sSE\.", ".spatial."),
)
"""Names that differ between SMP's decoder and ours."""


def load_smp(
    source: str | Path | Mapping[str, Tensor],
    encoder_name: str | None = None,
    *,
    classes: int | None = None,
    interpolation: str = "nearest",
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
) -> UNet:
    """Convert a `segmentation_models_pytorch.Unet` with a ResNet or VGG encoder to our UNet.

    The logits equal SMP's if 32 divides H and W; at other sizes we pad and SMP resizes features.
    An activation after SMP's logits and a classification head are dropped.

    Args:
        source: a directory of SMP's `save_pretrained`; a state dict in a `.safetensors` file or a
            file of `torch.save`; or a state dict. Its keys may have a prefix.
        encoder_name: SMP's name of the encoder, if `source` has no `config.json`.
        classes: the expected number of classes; None for any.
        interpolation: SMP's `decoder_interpolation`, if `source` has no `config.json`.
        mean, std: normalisation of the training images, R,G,B in 0..255.

    Returns:
        The model, in evaluation mode. It takes images in 0..255 and normalises them itself.

    Raises:
        ModelError: not such a checkpoint, or one with an unsupported encoder or option.
    """
    # read the source, and check that its options are supported
    config: dict[str, Any] = {}
    where = "the state dict"
    if not isinstance(source, Mapping):
        where = str(source)
        config, source = _read(Path(source))
    name = encoder_name or config.get("encoder_name")
    _check_config(config, name, where)

    # the state dict without its prefix
    matches = [key for key in source if key.endswith(HEAD)]
    if len(matches) != 1:
        raise ModelError(
            f"{where} is not a Unet of SMP: it has {len(matches)} tensors {HEAD}, not one."
        )
    prefix = matches[0].removesuffix(HEAD)
    state = {k.removeprefix(prefix): v for k, v in source.items() if k.startswith(prefix)}
    num_classes = state[HEAD].shape[0]
    if classes is not None and classes != num_classes:
        raise ModelError(f"{where} has {num_classes} classes, not {classes}.")
    if any(key.startswith("classification_head.") for key in state):
        log.warning("The classification head of %s is dropped.", where)

    # the model with these tensors
    encoder = _load_encoder(str(name), state, where, mean, std)
    upsampling = config.get("decoder_interpolation", interpolation)
    model = UNet(encoder, num_classes, **_decoder_options(state, where), upsampling=upsampling)
    _load_decoder(model, state, where)
    return model.eval()


def _load_encoder(
    name: str,
    state: Mapping[str, Tensor],
    where: str,
    mean: Sequence[float],
    std: Sequence[float],
) -> Encoder:
    trunk = {k.removeprefix("encoder."): v for k, v in state.items() if k.startswith("encoder.")}
    first = trunk.get("conv1.weight", trunk.get("features.0.weight"))
    if first is None:
        raise ModelError(f"{where} has no encoder {name}: its first convolution is missing.")
    encoder = Encoder(name, first.shape[1], weights="none")
    load_body(encoder.body, trunk, first.shape[1], where)
    encoder.source, encoder.pretrained = f"SMP {where}", True
    encoder.mean, encoder.std = (spread(tuple(v), first.shape[1]) for v in (mean, std))
    return encoder


def _read(path: Path) -> tuple[dict[str, Any], Mapping[str, Tensor]]:
    if not path.is_dir():
        return {}, read_state_dict(path)
    try:
        config = json.loads(read_bounded(path / "config.json", MAX_JSON_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} has no readable config.json of SMP: {error}.") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path / 'config.json'} is not a configuration of SMP.")
    return config, read_state_dict(path / "model.safetensors")


def _check_config(config: dict[str, Any], name: Any, where: str) -> None:
    kind = config.get("_model_class", "Unet")
    if kind != "Unet":
        raise ModelError(f"{where} is SMP's {kind}; only its Unet is supported.")
    if name is None:
        raise ModelError(
            f"{where} does not name its encoder: pass load_smp(..., encoder_name='resnet34')."
        )
    if name not in ENCODERS:
        raise ModelError(
            f"SMP's encoder {name!r} is not supported: its tensors differ from those of timm's "
            f"model. Supported are {', '.join(ENCODERS)}."
        )
    if config.get("encoder_depth", 5) != 5:
        raise ModelError(f"{where}: encoder_depth={config['encoder_depth']}; only 5 is supported.")
    interpolation = config.get("decoder_interpolation", "nearest")
    if interpolation not in ("nearest", "bilinear"):
        raise ModelError(
            f"{where}: decoder_interpolation={interpolation!r}; "
            "our decoder has nearest and bilinear."
        )
    norm = config.get("decoder_use_norm", config.get("decoder_use_batchnorm", True))
    if isinstance(norm, dict) and set(norm) != {"type"}:
        raise ModelError(
            f"{where}: decoder_use_norm={norm}; only norms with default arguments are supported."
        )


def _decoder_options(state: Mapping[str, Tensor], where: str) -> dict[str, Any]:
    """Infer the options from the tensors, so that a bare state dict is enough."""
    convs = [f"decoder.blocks.{i}.conv1.0.weight" for i in range(5)]
    if not all(key in state for key in convs) or "decoder.blocks.5.conv1.0.weight" in state:
        raise ModelError(f"{where} is not a Unet of SMP with encoder_depth=5: its blocks differ.")
    if "decoder.blocks.0.conv1.1.running_var" in state:
        norm = "batch"
    elif "decoder.blocks.0.conv1.0.bias" in state:
        norm = "none"
    else:
        raise ModelError(f"{where}: our decoder has SMP's batchnorm and identity, not this norm.")
    return {
        "channels": [state[key].shape[0] for key in convs],
        "norm": norm,
        "attention": "scse" if any(".attention.cSE." in key for key in state) else "none",
        "center": "decoder.center.0.0.weight" in state,
        "full_resolution_skip": False,
    }


def _load_decoder(model: UNet, state: Mapping[str, Tensor], where: str) -> None:
    renamed = {}
    for key, value in state.items():
        # SMP builds an attention for the skip connection that its last block doesn't have
        if key.startswith(("decoder.", "segmentation_head.")) and ".4.attention1." not in key:
            for pattern, replacement in RENAMED:
                key = re.sub(pattern, replacement, key)
            renamed[key] = value
    own = {k: v for k, v in model.state_dict().items() if k.startswith(("decoder.", "head."))}
    wrong = sorted(set(own) ^ set(renamed))
    wrong += [k for k in own if k in renamed and own[k].shape != renamed[k].shape]
    if wrong:
        raise ModelError(
            f"{where}: {len(wrong)} tensors of the decoder don't fit, such as {wrong[0]}."
        )
    check_values(renamed, where)
    model.load_state_dict(renamed, strict=False)
