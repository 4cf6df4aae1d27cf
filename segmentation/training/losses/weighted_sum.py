"""Several losses in one."""

from collections.abc import Mapping

from torch import Tensor, nn

from segmentation.errors import ConfigError, check_number


class WeightedSum(nn.Module):
    """The sum of losses, each times its factor.

    Args:
        terms: name -> loss, called with logits and labels.
        weights: name -> factor, 0 or more, at least one of them above 0; the names of `terms`.

    Raises:
        ConfigError: no terms, other names, a factor below 0, or no factor above 0.
    """

    def __init__(self, terms: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        if not terms:
            raise ConfigError("loss.terms is empty: name at least one loss, as conf/loss/ does.")
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
            raise ConfigError("loss.terms all have weight 0: nothing would be learnt.")

    def forward(self, logits: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total, to go backward from, and each term for the log.

        The terms are scalars without their factor and without a gradient; they stay on the device
        until somebody reads them.
        """
        losses = {name: term(logits, target) for name, term in self.terms.items()}
        total = sum(self.weights[name] * loss for name, loss in losses.items())
        return total, {name: loss.detach() for name, loss in losses.items()}
