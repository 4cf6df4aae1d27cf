"""The options of conf/augment."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from segmentation.data.augment.mixing import Mixing
from segmentation.data.augment.transform import TrainTransform
from segmentation.data.augment.window import Size
from segmentation.data.images.channels import RGB, Channels
from segmentation.errors import ConfigError, validating


class Augmentation(BaseModel):
    """Options of training samples; by default images stay as they are.

    Their types are checked here, their values by `TrainTransform` and `Mixing`.

    Attributes:
        scale, transforms, class_balanced: see `TrainTransform`.
        mix: ``"none"``, ``"cutmix"`` or ``"classmix"``.
        mix_p: the share of samples that are mixed, 0..1.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    scale: Sequence[int | float] | None = None
    transforms: Sequence[Any] = ()
    class_balanced: bool = False
    mix: str = "none"
    mix_p: float = 0.5

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Augmentation":
        """Build the options from the values of a configuration.

        Raises:
            ConfigError: an unknown option, or a value of the wrong type.
        """
        with validating("augment", cls.model_fields):
            return cls.model_validate(values)

    def transform(
        self, size: Size | None, crop: Size | None, channels: Channels = RGB
    ) -> TrainTransform:
        """Build the transform of a sample; see `TrainTransform` for errors."""
        return TrainTransform(
            self.transforms, size, crop, self.scale, self.class_balanced, channels
        )

    def mixing(self, targets: bool = False) -> Mixing | None:
        """Build the mixing of samples; None for none.

        Args:
            targets: whether samples have image-level targets.

        Raises:
            ConfigError: mixing with image-level targets; see also `Mixing`.
        """
        if self.mix == "none":
            return None
        mixing = Mixing(self.mix, self.mix_p)
        if targets:
            raise ConfigError(
                f"augment.mix={self.mix} cannot be used with task.targets: an image mixed from "
                "two has no category and no values of its own. Type augment.mix=none."
            )
        return mixing
