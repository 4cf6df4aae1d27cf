"""Encoders, the UNet decoder, saving and loading; knows nothing of training."""

from segmentation.models.build import build_model
from segmentation.models.decoder import DecoderOptions
from segmentation.models.encoder import Encoder
from segmentation.models.saving import LoadedModel, describe_model, load_model, save_model
from segmentation.models.smp import load_smp
from segmentation.models.unet import UNet

__all__ = [
    "DecoderOptions",
    "Encoder",
    "LoadedModel",
    "UNet",
    "build_model",
    "describe_model",
    "load_model",
    "load_smp",
    "save_model",
]
