"""Check the section `task`, before torch is imported."""

from omegaconf import DictConfig, ListConfig

from segmentation.errors import ConfigError, check_flag


def check_task(task: DictConfig) -> None:
    """Check the section `task`.

    Raises:
        ConfigError: values of the wrong type, or nothing to learn.
    """
    targets = task.targets
    check_flag("task.segmentation", task.segmentation)
    if not isinstance(targets.category, str | None):
        raise ConfigError(
            f"task.targets.category={targets.category!r}: expected the name of one column."
        )
    values = targets["values"]  # .values is a method of every mapping
    if not isinstance(values, list | ListConfig) or not all(isinstance(v, str) for v in values):
        raise ConfigError(
            f"task.targets.values={values!r}: expected names of columns, as "
            "task.targets.values=[arousal,valence]."
        )
    if not (task.segmentation or targets.category or values):
        raise ConfigError(
            "task.segmentation=false leaves nothing to learn. Name a column of targets.csv: "
            "task.targets.category=<column> or task.targets.values=[<column>,<column>]."
        )
