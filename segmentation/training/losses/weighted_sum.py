"""The weighted sum of losses."""

from collections.abc import Mapping

from torch import Tensor, nn

from segmentation.errors import ConfigError, check_number


class WeightedSum(nn.Module):
    """The weighted sum of losses.

    Args:
        terms: losses by name, called with logits and labels.
        weights: by the same names, 0 or more, at least one above 0.

    Raises:
        ConfigError: no terms, different names, a negative weight, or only zeros.
    """

    def __init__(self, terms: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        if not terms:
            raise ConfigError("loss.terms is empty: define at least one loss, as in conf/loss/.")
        if set(terms) != set(weights):
            raise ConfigError(
                f"loss.terms are {sorted(terms)}, but weights were given for {sorted(weights)}."
            )
        self.terms = nn.ModuleDict(terms)
        self.weights = {
            name: check_number(
                f"loss.terms.{name}.weight", weights[name], "0 or more", lambda value: value >= 0
            )
            for name in terms
        }
        if not any(self.weights.values()):
            raise ConfigError("loss.terms all have weight 0: one must be above 0.")

    def forward(self, logits: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total, and each term (a scalar, unweighted and detached) for the log."""
        losses = {name: term(logits, target) for name, term in self.terms.items()}
        total = sum(self.weights[name] * loss for name, loss in losses.items())
        return total, {name: loss.detach() for name, loss in losses.items()}
