"""The card of a published model, as Markdown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from segmentation.commands.publish.recipe import recipe
from segmentation.console import argument
from segmentation.data.images.channels import Channels
from segmentation.model_files import shipped_name
from segmentation.models import LoadedModel
from segmentation.models.cost import count_parameters
from segmentation.report.pages import rendered
from segmentation.system.redaction import strip_folders

TEMPLATE = "model_card.md"
LIBRARY = "cityseg"


def model_card(
    output: Path,
    run: Path,
    metrics: dict[str, Any],
    loaded: LoadedModel,
    half: bool,
    licence: str | None,
    limits: Sequence[str],
) -> str:
    """Return the card of a model in Markdown: description, training, scores, limits and licence.

    Its head is for model hubs (https://huggingface.co/docs/hub/model-cards).

    Args:
        output: its folder, which gives the model its name.
        run: directory of its training.
        metrics: the `metrics.json` of the run.
        loaded: the model.
        half: whether convolutions are rounded to float16.
        licence, limits: see conf/publish.yaml.
    """
    name, segments = output.absolute().name, loaded.classes is not None
    known = recipe(run)
    calibration = metrics.get("calibration") or {}
    warnings = [strip_folders(" ".join(warning.split())) for warning in metrics.get("warnings", ())]
    return rendered(
        TEMPLATE,
        argument=argument,
        card_data=_card_data(name, metrics, known["data"], licence, segments).to_yaml(),
        name=name,
        model=name if shipped_name(output) else f"path/to/{name}",
        encoder=loaded.model.encoder.name,
        parameters=f"{count_parameters(loaded.model) / 1e6:.1f} M",
        half=half,
        classes=loaded.classes.names if loaded.classes is not None else None,
        size=loaded.size,
        channels=_image_words(loaded.channels),
        bands=not loaded.channels.photos,
        recipe=known,
        split=metrics.get("split"),
        images=metrics.get("images"),
        epoch=metrics.get("epoch"),
        scores=_score_rows(metrics) if "miou" in metrics else [],
        pixel_accuracy=_points(metrics.get("pixel_accuracy")),
        ece=_points(calibration.get("ece")),
        targets={key: f"{value:.4g}" for key, value in _target_scores(metrics).items()},
        limits=[*warnings, *limits],
        licence=licence or "Not stated by who trained it.",
    )


def _card_data(
    name: str, metrics: dict[str, Any], data: str, licence: str | None, segments: bool
) -> ModelCardData:
    scores: dict[str, Any] = {}
    if "miou" in metrics:
        known = {"mean_iou": metrics["miou"], "accuracy": metrics.get("pixel_accuracy")}
        results = [
            EvalResult(
                task_type="image-segmentation",
                dataset_type=data,
                dataset_name=data,
                dataset_split=metrics.get("split"),
                metric_type=kind,
                metric_value=round(value, 4),
            )
            for kind, value in known.items()
            if value is not None
        ]
        kinds = [result.metric_type for result in results]
        scores = {"model_name": name, "eval_results": results, "metrics": kinds}
    return ModelCardData(
        library_name=LIBRARY,
        pipeline_tag="image-segmentation" if segments else None,
        tags=["semantic-segmentation", "unet"] if segments else None,
        datasets=[data],
        license="other" if licence else None,
        **scores,
    )


def _image_words(channels: Channels) -> str:
    """Return the array that a `Predictor` takes, in words on one line."""
    if channels.photos:
        return "uint8 (H, W, 3), RGB"
    names = (
        " ".join(name.split()) or f"band {band}"
        for name, band in zip(channels.names, channels.bands, strict=True)
    )
    return f"{channels.dtype} (H, W, {len(channels)}), {', '.join(names)}"


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
