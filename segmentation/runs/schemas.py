"""The types of the values in the files of a run, which may be damaged or a stranger's.

Only what later steps read is named. Keys that are missing are of an older version, and further ones
are kept. Importing pydantic takes 0.2 s: `runs.directory` imports this module when it reads a file.
"""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Interval = Annotated[list[Number | None], Field(min_length=2, max_length=2)]
Size = Annotated[list[Annotated[int, Field(ge=1, lt=2**31)]], Field(min_length=2, max_length=2)]
Zoom = Annotated[list[Number], Field(min_length=2, max_length=2)]
Transform = Annotated[dict[str, Any], Field(min_length=1)]
ByClass = dict[str, Number | None]


class Schema(BaseModel):
    """Checks types without converting; other keys may hold anything."""

    model_config = ConfigDict(extra="allow", strict=True)


class ScoreOfClasses(Schema):
    """A score besides IoU."""

    mean: Number | None = None
    ece: Number | None = None
    classes: ByClass = {}
    distance: str = ""


class Intervals(Schema):
    """The intervals of the scores."""

    miou: Interval | None = None
    iou: dict[str, Interval | None] = {}
    notes: list[str] = []
    resampling: str = ""


class CategoryScores(Schema):
    """The scores of an image-level category."""

    f1: ByClass = {}
    macro_f1: Number | None = None


class TargetScores(Schema):
    """The scores of image-level targets."""

    category: CategoryScores | None = None
    values: dict[str, ByClass] = {}
    ccc: Number | None = None


class Slices(Schema):
    """What was said of the slices."""

    notes: list[str] = []


class Metrics(Schema):
    """`metrics.json`, of a training or of an evaluation."""

    split: str = ""
    images: Count = 0
    miou: Number | None = None
    iou: ByClass = {}
    accuracy: ByClass = {}
    frequency_weighted_iou: Number | None = None
    pixel_accuracy: Number | None = None
    mean_accuracy: Number | None = None
    dice: Number | None = None
    boundary_iou: ScoreOfClasses = ScoreOfClasses()
    boundary_f: ScoreOfClasses = ScoreOfClasses()
    calibration: ScoreOfClasses = ScoreOfClasses()
    intervals: Intervals | None = None
    targets: TargetScores = TargetScores()
    slices: Slices = Slices()
    score: Number | None = None
    epoch: Count | None = None
    pruned: Count | None = None
    seconds: Annotated[Number, Field(ge=0)] | None = None
    parameters: Count | None = None
    latency_ms: Number | None = None
    warnings: list[str] = []
    weights: str | None = None
    encoder_weights: str | None = None
    data: str | None = None
    data_fingerprint: str | None = None
    targets_fingerprint: str | None = None
    classes: list[str] | None = None
    model: str | None = None
    precision: str | None = None
    inference: dict[str, Any] | None = None
    size: Size | None = None
    class_map: dict[str, str | None] | None = None

    @model_validator(mode="after")
    def _scores_belong_together(self) -> Self:
        """Check that the scores of segmentation agree; the oldest runs lack the accuracies."""
        if ("miou" in self.model_fields_set) != ("iou" in self.model_fields_set):
            raise ValueError("it has only one of miou and iou")
        if "accuracy" in self.model_fields_set and self.iou.keys() != self.accuracy.keys():
            raise ValueError("iou and accuracy have different classes")
        return self


class Git(Schema):
    """The state of the code."""

    commit: str
    changed: bool = False
    patch: str | None = None
    untracked: list[str] = []


class Hardware(Schema):
    """The machine of a training."""

    system: str | None = None
    cpu: str | None = None
    gpus: list[str] | None = None
    driver: str | None = None


class Environment(Schema):
    """`environment.json`: what a run was made with."""

    command: list[str] = []
    overrides: list[str] = []
    versions: dict[str, str] = {}
    git: Git | None = None
    hardware: Hardware = Hardware()
    data: dict[str, str] = {}
    attempts: Count = 1
    parts: Annotated[int, Field(ge=1, lt=2**20)] = 1
    encoder_weights: str | None = None
    device: str | None = None
    precision: str | None = None
    rerun_of: str | None = None


class DataSettings(Schema):
    """The section `data` of a configuration."""

    name: str
    root: str | None = None
    classes: str | None = None
    pairs: str | None = None
    draw: dict[str, Any] | None = None
    size: Size | None = None
    crop: Size | str | None = None


class EncoderSettings(Schema):
    """The section `encoder` of a configuration."""

    name: str
    lr_factor: Number | None = None


class LossTerm(Schema):
    """A summand of the loss."""

    weight: Number


class LossSettings(Schema):
    """The section `loss` of a configuration."""

    terms: dict[str, LossTerm] = {}


class AugmentSettings(Schema):
    """The section `augment` of a configuration."""

    scale: Zoom | None = None
    transforms: list[Transform] = []


class TrainerSettings(Schema):
    """The section `trainer` of a configuration."""

    max_epochs: int | None = None


class TargetSettings(Schema):
    """Image-level targets in a configuration."""

    file: str | None = None


class TaskSettings(Schema):
    """The section `task` of a configuration."""

    segmentation: bool = True
    targets: TargetSettings = TargetSettings()


class LastEpochs(Schema):
    """A mean of weights in a configuration."""

    epochs: Count | None = None


class CallbackSettings(Schema):
    """The section `callbacks` of a configuration."""

    ema: dict[str, Any] | None = None
    mean_of_last: LastEpochs | None = None


class Settings(Schema):
    """`config.yaml`: the configuration of a training."""

    data: DataSettings
    encoder: EncoderSettings
    trainer: TrainerSettings
    decoder: dict[str, Any] = {}
    augment: AugmentSettings = AugmentSettings()
    loss: LossSettings = LossSettings()
    optimizer: dict[str, Any] = {}
    schedule: dict[str, Any] = {}
    callbacks: CallbackSettings = CallbackSettings()
    logger: dict[str, dict[str, Any] | None] = {}
    task: TaskSettings = TaskSettings()
    model: dict[str, Any] = {}
    seed: int | None = None
