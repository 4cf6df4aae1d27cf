"""Scoring a model on data with another class table: which class counts as which."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from segmentation.classes import TABLES, ClassTable
from segmentation.errors import ConfigError, did_you_mean, listed
from segmentation.inference.wrapper import WrappedModel, outputs
from segmentation.models import Outputs

log = logging.getLogger(__name__)

ClassMap = dict[str, str | None]
"""For each class of a model the class of the data that it counts as; None: never predicted."""
NEVER = -1e4
"""The logit of a class that is never predicted: finite, as -inf cannot be resized."""


def read_class_map(given: str | Mapping[str, Any], model: ClassTable) -> ClassMap:
    """Return the map that a user gives, once it names every class of the model.

    Args:
        given: the map, or a YAML file that holds one.
        model: the classes that the model predicts.

    Raises:
        ConfigError: the file cannot be read or is no map, it names classes that the model does not
            have, or not all that it has.
    """
    if isinstance(given, str):
        path = Path(given).expanduser()
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"the class map {path} cannot be read: {error}") from error
        where = f"the class map {path}"
    else:
        values, where = given, "class_map"
    if not isinstance(values, Mapping) or not values:
        raise ConfigError(f"{where} is no map: expected {{<model's class>: <data's class>, ...}}.")
    chosen = {
        str(name): None if value is None else str(value) for name, value in values.items()
    }  # fmt: skip
    _check_known(where, "the model", chosen, model.names)
    if missing := [name for name in model.names if name not in chosen]:
        raise ConfigError(
            f"{where} does not name {listed(missing)}: say of each class of the model which class "
            "of the data it is, or null for none."
        )
    return chosen


def fit_class_map(chosen: ClassMap | None, model: ClassTable, data: ClassTable) -> ClassMap | None:
    """Return the map from a model's classes to those of data, None where they are the same.

    Args:
        chosen: the user's; None: the tables are equal, have the same names in another order, or
            one of `TABLES` says what each class of the model counts as.
        model, data: their class tables.

    Raises:
        ConfigError: it names classes that the data do not have, or none at all; or there is none.
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
        log.info("the data have the model's classes in another order: they are matched by name.")
        return {name: name for name in model.names}
    for key, table in TABLES.items():
        counts_as = {entry.name: entry.merge for entry in table}
        found = {name: counts_as.get(name) for name in model.names}
        if set(found.values()) <= set(data.names):
            log.info("the model's classes are mapped to the data's by the table %s.", key)
            return found
    raise ConfigError(
        f"the model predicts {list(model.names)} but the data have {list(data.names)}. Score it "
        "on data with its own classes (see data.classes and data.void), or say which class counts "
        "as which: class_map={<model's class>: <data's class or null>, ...}, or a YAML file of it."
    )


def _check_known(where: str, whose: str, names: Iterable[str], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ConfigError(
                f"{where} names {name!r}, which {whose} does not have.{hint}\n"
                f"Classes there: {', '.join(known)}"
            )


class MappedModel(WrappedModel):
    """Sums the probabilities of the classes that count as one.

    The logit of a class of the data is the log-sum-exp of its classes' logits; what maps to nothing
    is left out, so that a softmax over the result shares its probability out among the others.

    Args:
        model: see `outputs`.
        chosen: names all of the model's classes.
        classes: the model's.
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
        """Return logits (N, classes of the data, H, W), and the targets as they are."""
        seen = outputs(self.model, images)
        if seen.logits is None:
            return seen
        logits = seen.logits.to(torch.promote_types(seen.logits.dtype, torch.float32))
        merged = [
            logits[:, labels].logsumexp(dim=1)
            if labels
            else logits.new_full((len(logits), *logits.shape[2:]), NEVER)
            for labels in self.members
        ]
        return Outputs(torch.stack(merged, dim=1), seen.targets)
