"""Map a model's classes to those of a data set with another class table."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from segmentation.classes import TABLES, ClassTable
from segmentation.config import user_path
from segmentation.errors import ConfigError, did_you_mean, listed
from segmentation.inference.wrapper import WrappedModel, outputs
from segmentation.models import Outputs
from segmentation.system.files import read_bounded
from segmentation.system.plain_data import MAX_YAML_BYTES, load_yaml

log = logging.getLogger(__name__)

ClassMap = dict[str, str | None]
"""For each class of a model the class of the data that it counts as; None: never predicted."""
NEVER = -1e4
"""The logit of a class that is never predicted: finite, as -inf can't be resized."""


def read_class_map(given: str | Mapping[str, Any], model: ClassTable) -> ClassMap:
    """Read and check the class map of a user.

    Args:
        given: the map, or the path of a YAML file with one.
        model: the classes that the model predicts.

    Raises:
        ConfigError: the file can't be read or is not a map, or its keys are not the model's
            classes.
    """
    if isinstance(given, str):
        path = user_path(given)
        try:
            text = read_bounded(path, MAX_YAML_BYTES).decode("utf-8")
            values = load_yaml(text, yaml.SafeLoader)
        except (OSError, ValueError) as error:
            raise ConfigError(f"the class map {path} can't be read: {error}") from error
        where = f"the class map {path}"
    else:
        values, where = given, "class_map"
    if not isinstance(values, Mapping) or not values:
        raise ConfigError(
            f"{where} is not a map: expected {{<model's class>: <data's class>, ...}}."
        )
    chosen = {str(k): None if v is None else str(v) for k, v in values.items()}
    _check_known(where, "the model", chosen, model.names)
    if missing := [name for name in model.names if name not in chosen]:
        raise ConfigError(
            f"{where} does not name {listed(missing)}: give for each class of the model the "
            "class of the data that it counts as, or null for none."
        )
    return chosen


def check_class_map(
    given: str | Mapping[str, Any] | None, classes: ClassTable | None, model: str
) -> ClassMap | None:
    """Return the class map of a user, see `read_class_map`; None for none.

    Args:
        given: as it was typed.
        classes: of the model; None where it does not segment.
        model: its name, for messages.
    """
    if given is None:
        return None
    if classes is None:
        raise ConfigError(f"class_map: {model} has no classes, it does not segment.")
    return read_class_map(given, classes)


def fit_class_map(chosen: ClassMap | None, model: ClassTable, data: ClassTable) -> ClassMap | None:
    """Return the map from a model's classes to those of the data, None if they are the same.

    Args:
        chosen: the user's map; None: the tables have the same names, in any order, or one of
            `TABLES` maps each class of the model.
        model, data: their class tables.

    Raises:
        ConfigError: it names a class that the data don't have or no class, or no map is known.
    """
    if chosen is None:
        if data.names == model.names:
            return None
        chosen = _known_map(model, data)
    named = [name for name in chosen.values() if name is not None]
    _check_known("class_map", "the data", named, data.names)
    if not named:
        raise ConfigError("class_map maps every class to null: nothing would be predicted.")
    if never := [name for name in data.names if name not in named]:
        log.warning("no class of the model counts as %s: never predicted.", listed(never, 20))
    return chosen


def _known_map(model: ClassTable, data: ClassTable) -> ClassMap:
    if set(model.names) == set(data.names):
        log.info("the data have the model's classes in another order: matched by name.")
        return {name: name for name in model.names}
    for key, table in TABLES.items():
        counts_as = {entry.name: entry.merge for entry in table}
        known_map = {name: counts_as.get(name) for name in model.names}
        if set(known_map.values()) <= set(data.names):
            log.info("the model's classes are mapped to the data's by the table %s.", key)
            return known_map
    raise ConfigError(
        f"the model predicts {list(model.names)} but the data have {list(data.names)}. Score it "
        "on data with its own classes (see data.classes and data.void), or map them: "
        "class_map={<model's class>: <data's class or null>, ...}, or a YAML file with that."
    )


def _check_known(where: str, whose: str, names: Iterable[str], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ConfigError(
                f"{where} names {name!r}, which {whose} does not have.{hint}\n"
                f"Classes there: {', '.join(known)}"
            )


def map_classes(
    model: nn.Module, given: ClassMap | None, known: ClassTable | None, data: ClassTable | None
) -> tuple[nn.Module, ClassMap | None]:
    """Return the model with its classes mapped to those of the data, and the map where they differ.

    Args:
        model: see `outputs`.
        given: the user's map; None for none.
        known, data: the classes of the model and of the data; None where nothing is segmented.

    Raises:
        ConfigError: see `fit_class_map`.
    """
    if known is None or data is None:
        return model, None
    class_map = fit_class_map(given, known, data)
    if class_map is None:
        return model, None
    return MappedModel(model, class_map, known, data), class_map


class MappedModel(WrappedModel):
    """Sums the probabilities of classes that count as the same class of the data.

    The logit of a class of the data is the log-sum-exp of its classes' logits.
    Classes mapped to None are left out: a softmax over the result renormalises the others.

    Args:
        model: see `outputs`.
        chosen: the class map; it names all of the model's classes.
        classes: the model's class table.
        data: the classes of the result.
    """

    def __init__(
        self, model: nn.Module, chosen: ClassMap, classes: ClassTable, data: ClassTable
    ) -> None:
        super().__init__(model)
        self.members = [
            [label for label, name in enumerate(classes.names) if chosen[name] == own]
            for own in data.names
        ]

    def forward_all(self, images: Tensor) -> Outputs:
        """Return logits (N, classes of the data, H, W), and unchanged targets."""
        result = outputs(self.model, images)
        if result.logits is None:
            return result
        logits = result.logits.to(torch.promote_types(result.logits.dtype, torch.float32))
        merged = [
            logits[:, labels].logsumexp(dim=1)
            if labels
            else logits.new_full((len(logits), *logits.shape[2:]), NEVER)
            for labels in self.members
        ]
        return Outputs(torch.stack(merged, dim=1), result.targets)
