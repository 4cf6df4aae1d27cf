"""From a model's description and its tensors to the model."""

from typing import Any

from torch import Tensor

from segmentation.classes import ClassTable
from segmentation.errors import ModelError, SegmentationError
from segmentation.models.checked import Description, checked
from segmentation.models.encoder import Encoder
from segmentation.models.target_model import TargetModel
from segmentation.models.unet import UNet

Model = UNet | TargetModel


def restore(
    description: Any, state: dict[str, Tensor], where: str
) -> tuple[Model, ClassTable | None, tuple[int, int] | None]:
    """Build the model that a description names, and give it its tensors.

    Args:
        description: what `describe_model` returned, perhaps after a stranger's hands.
        state: the tensors of the model, under the names of its state dict.
        where: the file, for messages.

    Returns:
        The model, what its logits mean, and H,W to which images are resized for it. A model that
        does not segment has no classes.

    Raises:
        ModelError: the description is not one, or the tensors are not those of the model.
    """
    try:
        sound = checked(description)
        model = _build(sound)
    except SegmentationError as error:
        raise ModelError(f"{where} does not describe a model of this project: {error}") from error
    expected = model.state_dict()
    wrong = [f"{key} is missing" for key in expected if key not in state]
    wrong += [f"{key} is not the model's" for key in state if key not in expected]
    wrong += [
        f"{key} has shape {list(state[key].shape)}, not {list(expected[key].shape)}"
        for key in expected
        if key in state and state[key].shape != expected[key].shape
    ]
    if wrong:
        raise ModelError(
            f"{where}: {len(wrong)} tensors do not fit the description: {'; '.join(wrong[:3])}"
            + ("; ..." if len(wrong) > 3 else ".")
        )
    model.load_state_dict(state)
    return model, sound.classes, sound.size


def _build(sound: Description) -> Model:
    encoder = sound.encoder
    body = Encoder(encoder["name"], encoder["in_channels"], weights="none")
    body.mean, body.std = tuple(encoder["mean"]), tuple(encoder["std"])
    body.source, body.pretrained = encoder["source"], encoder["pretrained"]
    columns, dropout = sound.columns, sound.target_dropout
    if sound.decoder is not None and sound.classes is not None:
        return UNet(body, len(sound.classes), columns, dropout, **sound.decoder)
    assert columns is not None
    return TargetModel(body, columns, dropout)
