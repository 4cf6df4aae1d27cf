"""Write a run's model to a folder to give away: description, weights and card."""

import logging
from typing import Any

from segmentation import console
from segmentation.build.publication import PublicationPlan
from segmentation.commands.publish.card import model_card
from segmentation.commands.publish.folder import CARD, MODEL_FILES, check_folder
from segmentation.commands.publish.recipe import weights_source
from segmentation.console import argument, typed
from segmentation.model_files import TENSORS
from segmentation.models import load_model, save_model
from segmentation.models.saving import extra_of
from segmentation.runs.directory import read_metrics
from segmentation.system.files import write_atomic

log = logging.getLogger(__name__)


def publish(plan: PublicationPlan) -> dict[str, Any]:
    """Write the best weights of a run, their description and their card to a folder.

    Returns:
        The folder and its files.

    Raises:
        ModelError: the files cannot be written.
        ConfigError: the folder holds something other than a published model.
    """
    # Check the run and the folder.
    run, output = plan.run, plan.output
    metrics = read_metrics(run)
    assert metrics is not None  # the plan is of a finished run
    check_folder(output)

    # Write the model, then its card.
    loaded = load_model(run)
    loaded.model.encoder.source = weights_source(loaded.model.encoder.source)
    card = model_card(output, run, metrics, loaded, plan.half, plan.licence, plan.limits)
    extra = extra_of(loaded.learnt_size, loaded.channels)
    save_model(loaded.model, output, loaded.classes, loaded.size, extra, half=plan.half)
    again = " in place of an earlier one" if (output / CARD).exists() else ""
    write_atomic(output / CARD, f"{card.rstrip()}\n")

    # Report.
    if not plan.licence:
        log.warning(
            "The card states no licence: whoever gets the model cannot know what they may do with "
            "it. Set it: licence='<what the data and the weights it started from allow>'"
        )
    megabytes = (output / TENSORS).stat().st_size / 1e6
    console.show_next(
        f"written to {output}{again}: {TENSORS} has {megabytes:.1f} MB, {CARD} says what it is",
        f"{typed('predict')} {argument('model', output)} input=<images> output=<folder>",
    )
    return {"output": output, "written": [output / name for name in MODEL_FILES]}
