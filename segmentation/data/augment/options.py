"""What an option of conf/augment says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from segmentation.data.augment.mixing import Mixing
from segmentation.data.augment.transform import TrainTransform
from segmentation.data.augment.window import Size
from segmentation.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class Augmentation:
    """How training samples are made from images; as it stands, images as they are.

    Attributes:
        scale, transforms, class_balanced: see `TrainTransform`.
        mix: ``"none"``, ``"cutmix"`` or ``"classmix"``.
        mix_p: the share of samples that are mixed, 0..1.
    """

    scale: Sequence[float] | None = None
    transforms: Sequence[dict] = ()
    class_balanced: bool = False
    mix: str = "none"
    mix_p: float = 0.5

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Augmentation":
        """Take the values of an option.

        Raises:
            ConfigError: one that there is not.
        """
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                raise ConfigError(f"there is no option augment.{key}.{did_you_mean(key, known)}")
        return cls(**values)

    def transform(self, size: Size | None, crop: Size | None) -> TrainTransform:
        """Return what resizes, augments and crops a sample; see `TrainTransform` for errors."""
        return TrainTransform(self.transforms, size, crop, self.scale, self.class_balanced)

    def mixing(self, targets: bool = False) -> Mixing | None:
        """Return what mixes samples, if anything does.

        Args:
            targets: samples have image-level targets as well.

        Raises:
            ConfigError: samples with image-level targets are to be mixed, and see `Mixing`.
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
