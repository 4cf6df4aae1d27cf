"""A run's model as a folder to give away: description, weights, and a card that says what it is."""

from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from omegaconf import DictConfig

from segmentation import console
from segmentation.commands.recipe import recipe
from segmentation.directories import owner, read_metrics
from segmentation.errors import ModelError
from segmentation.models import LoadedModel, load_model, save_model
from segmentation.models.cost import count_parameters
from segmentation.models.files import TENSORS
from segmentation.models.saving import CONFIG
from segmentation.models.shipped import FOLDER
from segmentation.pages import rendered
from segmentation.whole_files import write_whole

CARD = "README.md"
TEMPLATE = "model_card.md"


def publish(cfg: DictConfig) -> dict[str, Any]:
    """Write the best weights of `cfg.run`, their description and their card to `cfg.output`.

    Returns:
        The folder and its files.

    Raises:
        ModelError: it is no finished run, or the files cannot be written.
    """
    run, output = Path(cfg.run).expanduser(), Path(cfg.output).expanduser()
    metrics = read_metrics(run) if owner(run) == run else None
    if metrics is None:
        raise ModelError(
            f"run={run}: there is no finished run. A model's card tells its scores and how it was "
            "trained: give a run directory (such as runs/<name>) that holds metrics.json."
        )
    loaded = load_model(run)
    save_model(
        loaded.model, output, loaded.classes, loaded.size, loaded.info["extra"], half=cfg.half
    )
    megabytes = (output / TENSORS).stat().st_size / 1e6
    write_whole(output / CARD, model_card(output, run, metrics, loaded, megabytes, cfg))
    console.console.print(f"written to {output}, {megabytes:.1f} MB", soft_wrap=True)
    return {"output": output, "written": [output / name for name in (CONFIG, TENSORS, CARD)]}


def model_card(
    output: Path,
    run: Path,
    metrics: dict[str, Any],
    loaded: LoadedModel,
    megabytes: float,
    cfg: DictConfig,
) -> str:
    """Return the card of a model in Markdown: what it is, its training, scores, limits, licence.

    Its head is what model hubs read (https://huggingface.co/docs/hub/model-cards).

    Args:
        output: the folder it will lie in, whose name is the model's.
        run: that trained it.
        metrics: the `metrics.json` of the run.
        loaded: the model.
        megabytes: of its weights' file.
        cfg: `licence`, `limits` and `half`, see conf/publish.yaml.
    """
    info, name = loaded.info, output.name
    known = recipe(run)
    scored = "miou" in metrics
    ece = (metrics.get("calibration") or {}).get("ece")
    return rendered(
        TEMPLATE,
        card_data=_card_data(name, metrics, known["data"], cfg.licence).to_yaml(),
        name=name,
        model=name if output.absolute().parent == FOLDER else f"<{name}>",
        encoder=info["encoder"]["name"],
        segments=info["decoder"] is not None,
        parameters=f"{count_parameters(loaded.model) / 1e6:.1f} M",
        megabytes=f"{megabytes:.1f}",
        half=cfg.half,
        classes=None if loaded.classes is None else loaded.classes.names,
        size=loaded.size,
        recipe=known,
        split=metrics.get("split"),
        images=metrics.get("images"),
        epoch=metrics.get("epoch"),
        scores=_score_rows(metrics) if scored else [],
        pixel_accuracy=_points(metrics.get("pixel_accuracy")),
        ece=_points(ece),
        targets={key: f"{value:.4g}" for key, value in _target_scores(metrics).items()},
        limits=[*map(_one_line, metrics.get("warnings", ())), *cfg.limits],
        licence=cfg.licence or "Not stated by who trained it.",
    )


def _card_data(name: str, metrics: dict[str, Any], data: str, licence: str | None) -> ModelCardData:
    found: dict[str, Any] = {}
    if "miou" in metrics:
        one = EvalResult(
            task_type="image-segmentation", dataset_type=data, dataset_name=data,
            dataset_split=metrics.get("split"), metric_type="mean_iou",
            metric_value=round(metrics["miou"], 4),
        )  # fmt: skip
        found = {"model_name": name, "eval_results": [one], "metrics": ["mean_iou"]}
    return ModelCardData(
        library_name="cityseg",
        pipeline_tag="image-segmentation",
        tags=["semantic-segmentation", "unet"],
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


def _one_line(text: str) -> str:
    return " ".join(text.split())
