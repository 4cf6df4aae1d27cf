"""A run's model as a folder to give away: description, weights, and a card that says what it is."""

import logging
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from omegaconf import DictConfig

from segmentation import console
from segmentation.commands.publish.recipe import recipe, weights_source
from segmentation.console import argument, typed
from segmentation.errors import ConfigError, ModelError
from segmentation.models import LoadedModel, load_model, save_model
from segmentation.models.cost import count_parameters
from segmentation.models.saving import CONFIG, LEARNT_SIZE
from segmentation.models.shipped import shipped_name
from segmentation.models.weights_files import TENSORS
from segmentation.report.pages import rendered
from segmentation.runs.directory import read_metrics, run_of
from segmentation.system.files import write_atomic
from segmentation.system.redaction import strip_folders

log = logging.getLogger(__name__)

CARD = "README.md"
FILES = (CONFIG, TENSORS, CARD)
TEMPLATE = "model_card.md"
LIBRARY = "cityseg"


def publish(cfg: DictConfig) -> dict[str, Any]:
    """Write the best weights of `cfg.run`, their description and their card to `cfg.output`.

    Returns:
        The folder and its files.

    Raises:
        ModelError: it is no finished run, or the files cannot be written.
        ConfigError: the folder holds something else than a published model.
    """
    run, output = Path(cfg.run).expanduser(), Path(cfg.output).expanduser()
    metrics = read_metrics(run) if run_of(run) == run else None
    if metrics is None:
        raise ModelError(
            f"run={run}: there is no finished run there. A model's card tells its scores and how "
            "it was trained: give a run directory (such as runs/<name>) that holds metrics.json."
        )
    _check_output(output)
    loaded = load_model(run)
    loaded.model.encoder.source = weights_source(loaded.model.encoder.source)
    card = model_card(output, run, metrics, loaded, cfg)
    extra = {LEARNT_SIZE: list(loaded.learnt_size)} if loaded.learnt_size else None
    save_model(loaded.model, output, loaded.classes, loaded.size, extra, half=cfg.half)
    again = " in place of an earlier one" if (output / CARD).exists() else ""
    write_atomic(output / CARD, f"{card.rstrip()}\n")
    if not cfg.licence:
        log.warning(
            "The card states no licence: whoever gets the model cannot know what they may do with "
            "it. Say it: licence='<what the data and the weights it started from allow>'"
        )
    megabytes = (output / TENSORS).stat().st_size / 1e6
    console.show_next(
        f"written to {output}{again}: {TENSORS} has {megabytes:.1f} MB, {CARD} says what it is",
        f"{typed('predict')} {argument('model', output)} input=<images> output=<folder>",
    )
    return {"output": output, "written": [output / name for name in FILES]}


def _check_output(output: Path) -> None:
    others = sorted(path.name for path in output.glob("*") if path.name not in FILES)
    if run := next(filter(None, map(run_of, (output.resolve(), *output.resolve().parents))), None):
        why = f"lies in the run {run}"
    elif output.is_file():
        why = "is a file"
    elif any((output / name).exists() for name in FILES) and not _published(output):
        why = "holds a model or a README.md that is not publish.py's"
    elif others:
        why = f"holds {others[0]} already"
    else:
        return
    raise ConfigError(
        f"output={output} {why}. Give a folder of its own, which is made if it is not there."
    )


def _published(output: Path) -> bool:
    """Return whether an earlier call wrote the files there."""
    card = output / CARD
    return card.is_file() and f"library_name: {LIBRARY}\n" in card.read_text(errors="replace")


def model_card(
    output: Path, run: Path, metrics: dict[str, Any], loaded: LoadedModel, cfg: DictConfig
) -> str:
    """Return the card of a model in Markdown: what it is, its training, scores, limits, licence.

    Its head is what model hubs read (https://huggingface.co/docs/hub/model-cards).

    Args:
        output: the folder it will lie in, whose name is the model's.
        run: that trained it.
        metrics: the `metrics.json` of the run.
        loaded: the model.
        cfg: `licence`, `limits` and `half`, see conf/publish.yaml.
    """
    name, segments = output.absolute().name, loaded.classes is not None
    known = recipe(run)
    calibration = metrics.get("calibration") or {}
    warnings = [strip_folders(" ".join(one.split())) for one in metrics.get("warnings", ())]
    return rendered(
        TEMPLATE,
        argument=argument,
        card_data=_card_data(name, metrics, known["data"], cfg.licence, segments).to_yaml(),
        name=name,
        model=name if shipped_name(output) else f"path/to/{name}",
        encoder=loaded.model.encoder.name,
        parameters=f"{count_parameters(loaded.model) / 1e6:.1f} M",
        half=cfg.half,
        classes=loaded.classes.names if loaded.classes is not None else None,
        size=loaded.size,
        recipe=known,
        split=metrics.get("split"),
        images=metrics.get("images"),
        epoch=metrics.get("epoch"),
        scores=_score_rows(metrics) if "miou" in metrics else [],
        pixel_accuracy=_points(metrics.get("pixel_accuracy")),
        ece=_points(calibration.get("ece")),
        targets={key: f"{value:.4g}" for key, value in _target_scores(metrics).items()},
        limits=[*warnings, *(cfg.limits or [])],
        licence=cfg.licence or "Not stated by who trained it.",
    )


def _card_data(
    name: str, metrics: dict[str, Any], data: str, licence: str | None, segments: bool
) -> ModelCardData:
    found: dict[str, Any] = {}
    if "miou" in metrics:
        one = EvalResult(
            task_type="image-segmentation", dataset_type=data, dataset_name=data,
            dataset_split=metrics.get("split"), metric_type="mean_iou",
            metric_value=round(metrics["miou"], 4),
        )  # fmt: skip
        found = {"model_name": name, "eval_results": [one], "metrics": ["mean_iou"]}
    return ModelCardData(
        library_name=LIBRARY,
        pipeline_tag="image-segmentation" if segments else None,
        tags=["semantic-segmentation", "unet"] if segments else None,
        datasets=[data],
        license="other" if licence else None,
        **found,
    )


def _score_rows(metrics: dict[str, Any]) -> list[dict[str, str]]:
    intervals = metrics.get("intervals") or {"miou": None, "iou": {}}
    rows = [(name, iou, intervals["iou"].get(name)) for name, iou in metrics["iou"].items()]
    rows.append(("mean", metrics["miou"], intervals["miou"]))
    return [
        {
            "name": name,
            "iou": _points(iou),
            "ends": "–" if ends is None else f"{_points(ends[0])} to {_points(ends[1])}",
        }
        for name, iou, ends in rows
    ]


def _target_scores(metrics: dict[str, Any]) -> dict[str, float]:
    """Return the scores of the image-level targets that are one number."""
    return {
        key: value
        for key, value in (metrics.get("targets") or {}).items()
        if isinstance(value, int | float)
    }


def _points(fraction: float | None) -> str:
    return "–" if fraction is None else f"{100 * fraction:.1f}"
