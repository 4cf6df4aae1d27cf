"""Encoders, the UNet decoder, heads, saving and loading; knows nothing of training."""

from segmentation.models.build import build_model, build_target_model
from segmentation.models.decoder import DecoderOptions
from segmentation.models.description import Model, describe_model
from segmentation.models.encoder import Encoder
from segmentation.models.image_model import ImageModel, Outputs, TargetModel
from segmentation.models.saving import LoadedModel, load_model, save_model
from segmentation.models.smp import load_smp
from segmentation.models.target_head import TargetHead, TargetOutputs
from segmentation.models.unet import UNet
from segmentation.models.warm_start import warm_start

__all__ = [
    "DecoderOptions",
    "Encoder",
    "ImageModel",
    "LoadedModel",
    "Model",
    "Outputs",
    "TargetHead",
    "TargetModel",
    "TargetOutputs",
    "UNet",
    "build_model",
    "build_target_model",
    "describe_model",
    "load_model",
    "load_smp",
    "save_model",
    "warm_start",
]
