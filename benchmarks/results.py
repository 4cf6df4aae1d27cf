"""The tables of docs/results.md and README.md, from run directories: `make results`.

``python benchmarks/results.py <folder>`` reads every finished run below a folder (results.sh trains
them into runs/results) and every scoring of one by evaluate.py, and brings docs/results.csv up to
date, a row for each. The folder's own folders are the experiments: one that is there replaces all
its rows, others keep them. cog then writes the tables between its marks in the documents, by the
functions below, from results.csv and docs/comparison.csv alone.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from segmentation.commands.publish.public_command import public_command
from segmentation.commands.publish.recipe import code, weights_source
from segmentation.console import duration
from segmentation.runs.directory import (
    EVALUATION,
    read_environment,
    read_metrics,
    read_settings,
    run_of,
)

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "results.csv"
COMPARISON = ROOT / "docs" / "comparison.csv"
"""What compare.py says of the encoders."""
RARE = ("Pole", "SignSymbol", "Fence", "Pedestrian", "Bicyclist")
"""The classes that the original protocol never learns."""
OF_THE_RUN = re.compile(r"(test|val)(_flip)?(_scales[\d.-]+)?(_window[\d.x-]+)?")
"""Names of scorings of a run's best weights on its own data, see `scoring_directory`."""
LONG_LIST = re.compile(r"\[[^\]]{60,}\]")
NOT_RUN = "\nNot run.\n"


def collect(folder: Path) -> pd.DataFrame:
    """Return a row for each scoring below a folder, by the path it has there."""
    return pd.DataFrame(
        [
            _row(folder, run, scoring, metrics)
            for run in sorted(path.parent for path in folder.glob("**/environment.json"))
            if run_of(run) == run and read_metrics(run)
            for scoring in [run, *sorted((run / EVALUATION).glob("*"))]
            if scoring == run or OF_THE_RUN.fullmatch(scoring.name)
            if (metrics := read_metrics(scoring)) and "miou" in metrics
        ]
    )


def _row(folder: Path, run: Path, scoring: Path, metrics: Mapping[str, Any]) -> dict[str, Any]:
    kept, environment, own = (
        read_settings(run),
        read_environment(run) or {},
        read_metrics(run) or {},
    )
    low, high = (metrics.get("intervals") or {}).get("miou") or (None, None)
    typed = environment.get("overrides", environment.get("command", [""])[1:])  # older runs: words
    return {
        "scoring": scoring.relative_to(folder).as_posix(),
        "run": run.relative_to(folder).as_posix(),
        "command": public_command(typed, kept["data"]["name"]),
        "encoder": kept["encoder"]["name"],
        "encoder_weights": weights_source(environment.get("encoder_weights") or ""),
        "epochs": kept["trainer"]["max_epochs"],
        "seed": kept["seed"],
        "split": metrics["split"],
        "views": views_in_words(metrics.get("inference") or {}),
        "miou": metrics["miou"],
        "low": low,
        "high": high,
        **{f"iou {name}": value for name, value in metrics["iou"].items()},
        "parameters": own.get("parameters"),
        "seconds": own.get("seconds"),
        "device": environment.get("device"),
        "commit": code(environment),
    }


def views_in_words(inference: Mapping[str, Any]) -> str:
    """Return how each image was seen, such as ``flip, scales 0.75 1 1.25``; plainly is ``once``."""
    said = ["flip"] if inference.get("flip") else []
    if list(inference.get("scales", [1.0])) != [1.0]:
        said.append("scales " + " ".join(f"{scale:g}" for scale in inference["scales"]))
    if inference.get("window"):
        said.append("windows " + "x".join(map(str, inference["window"])))
    return ", ".join(said) or "once"


def update(found: pd.DataFrame) -> None:
    """Write what was found into results.csv, in place of the rows of the same experiments."""
    if found.empty:
        return
    if TABLE.is_file():
        kept = pd.read_csv(TABLE)
        again = kept["scoring"].map(_experiment).isin(set(found["scoring"].map(_experiment)))
        found = pd.concat([found, kept[~again]])  # its columns first; others have other classes
    whole = found.astype(dict.fromkeys(("parameters", "epochs", "seed"), "Int64"))
    whole.sort_values("scoring").to_csv(TABLE, index=False, float_format="%.6g")


def _experiment(scoring: str) -> str:
    return scoring.partition("/")[0]


def rows(experiment: str, split: str = "val", views: str | None = "once") -> pd.DataFrame:
    """Return the rows of an experiment, one for each of its runs and ways to see the images.

    Args:
        experiment: the folder below runs/results, such as ``ablation``.
        split: that was scored.
        views: see `views_in_words`; None: any.
    """
    found = pd.read_csv(TABLE) if TABLE.is_file() else pd.DataFrame(columns=["scoring", "split"])
    found = found[(found["scoring"].map(_experiment) == experiment) & (found["split"] == split)]
    if found.empty:
        return found
    found = found if views is None else found[found["views"] == views]
    return found.drop_duplicates(["run", "views"])


def typed(found: pd.DataFrame, experiment: str = "") -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield what was typed besides the seed, and the rows of all its seeds.

    Args:
        found: see `rows`.
        experiment: where it is given, what was typed besides it and the data, in alphabetical
            order; nothing for the experiment itself.
    """
    known = ["python", "train.py", f"experiment={experiment}"] if experiment else []

    def besides(text: str) -> str:
        words = [word for word in text.split(" ") if not word.startswith("seed=")]
        if not experiment:
            return " ".join(words)
        words = [word for word in words if word not in known and not word.startswith("data.root=")]
        return " ".join(sorted(words))

    yield from found.groupby(found["command"].map(besides), sort=False)


def ablation(experiment: str) -> str:
    """Return the table of an ablation: each change, its seeds together, against the baseline.

    The gain is to the baseline's runs of the same seeds; a dash where one of them was not run.
    """
    found = dict(typed(rows(experiment), experiment)) if not rows(experiment).empty else {}
    if "" not in found:
        return NOT_RUN
    base = found[""].groupby("seed")["miou"].mean()

    def gain(one: pd.DataFrame) -> str:
        paired = (one["miou"] - one["seed"].map(base)).dropna()
        return signed(paired.mean()) if len(paired) == len(one) else "–"

    return markdown(
        {
            "change": f"`{change}`" if change else "(baseline)",
            "mIoU": spread(one["miou"]),
            "seeds": len(one),
            "same seeds' gain": gain(one) if change else "",
            **{name: points(one[f"iou {name}"].mean()) for name in RARE},
        }
        for change, one in sorted(found.items(), key=lambda item: -item[1]["miou"].mean())
    )


def recipes(experiments: Sequence[str]) -> str:
    """Return the table of recipes: what each reached, and on what. One without a run says so."""
    lines: list[dict] = []
    for experiment in experiments:
        found = rows(experiment)
        if found.empty:
            lines.append({"recipe": f"`experiment={experiment}`", "val mIoU": "not run"})
            continue
        lines += [
            {
                "recipe": f"`{LONG_LIST.sub('[…]', words)}`",
                "encoder's weights": ", ".join(sorted(set(one["encoder_weights"].dropna()))),
                "val mIoU": spread(one["miou"]),
                "seeds": len(one),
                "95% interval": ends(one.iloc[0]) if len(one) == 1 else "",
                "epochs": one["epochs"].iloc[0],
                "time": duration(one["seconds"].min()),  # others waited for other work
                "machine": ", ".join(sorted(set(one["device"]))),
            }
            for words, one in typed(found)
        ]
    return markdown(lines)


def classes(experiments: Sequence[str]) -> str:
    """Return the IoU of each class, in points: a column for each recipe, the mean of its seeds."""
    groups = {name: dict(typed(one, name)) for name in experiments if not (one := rows(name)).empty}
    if not groups:
        return NOT_RUN
    found = {name: group[min(group, key=len)] for name, group in groups.items()}  # the plainest
    keys = [key for key in next(iter(found.values())) if key.startswith("iou ")]
    return markdown(
        {"class": key.removeprefix("iou ")}
        | {f"`{name}`": points(one[key].mean()) for name, one in found.items()}
        for key in keys
    )


def comparison() -> str:
    """Return compare.py's table of encoders: scores, what they tell apart, and cost."""
    if not COMPARISON.is_file():
        return NOT_RUN
    return markdown(
        {
            "contender": one["name"],
            "mIoU": points(one["miou"]) + ("" if pd.isna(one["sd"]) else f" ± {points(one['sd'])}"),
            "seeds": one["seeds"],
            "95% interval": ends(one),
            "verdict": one["verdict"],
            "parameters": f"{one['parameters'] / 1e6:.1f} M",
            "FLOPs": f"{one['flops'] / 1e9:.2f} G",
            "images/s": f"{one['images_per_second']:.0f}",
            "latency": f"{one['latency_ms']:.1f} ms",
            "training": duration(one["training_seconds"]),
        }
        for _, one in pd.read_csv(COMPARISON).iterrows()
    )


def original() -> str:
    """Return what the original study's protocol gives: mIoU, and the classes it never learns."""
    found = rows("original")
    if found.empty:
        return NOT_RUN
    return markdown(
        {
            "command": f"`{words}`",
            "val mIoU": spread(one["miou"]),
            **{name: points(one[f"iou {name}"].mean()) for name in RARE},
        }
        for words, one in typed(found)
    )


def test_time(experiment: str) -> str:
    """Return what flips and scales give, and how many times the pixels they cost.

    The gain is that of the runs that were scored in this way to what they score with one view.
    """
    found = rows(experiment, views=None)
    if found.empty:
        return NOT_RUN
    plain = found[found["views"] == "once"].set_index("run")["miou"]
    return markdown(
        {
            "each image is seen": views,
            "pixels": f"{cost(str(views)):.1f}x",
            "mIoU": spread(one["miou"]),
            "gain": ""
            if views == "once"
            else signed((one.set_index("run")["miou"] - plain).dropna().mean()),
        }
        for views, one in sorted(found.groupby("views"), key=lambda item: cost(str(item[0])))
    )


def cost(views: str) -> float:
    """Return the pixels of views as a multiple of those of one; see `views_in_words`."""
    factor = 1.0
    for part in views.split(", "):
        if part == "flip":
            factor *= 2
        elif part.startswith("scales"):
            factor *= sum(float(scale) ** 2 for scale in part.split()[1:])
    return factor


def points(fraction: float) -> str:
    """Return a fraction in points; a dash for none."""
    return "–" if pd.isna(fraction) else f"{100 * fraction:.1f}"


def signed(difference: float) -> str:
    """Return a difference of fractions in points, such as ``+1.2``; a dash for none."""
    return "–" if pd.isna(difference) else f"{100 * difference:+.1f}"


def spread(values: pd.Series) -> str:
    """Return mean and standard deviation (n - 1) in points, such as ``57.8 ± 0.3``."""
    mean = points(values.mean())
    return f"{mean} ± {points(values.std())}" if len(values) > 1 else mean


def ends(row: pd.Series) -> str:
    """Return the interval of a row in points."""
    return f"[{points(row['low'])}, {points(row['high'])}]" if pd.notna(row["low"]) else ""


def markdown(lines: Sequence[dict] | Iterator[dict]) -> str:
    """Return a Markdown table; what a line lacks is empty."""
    table = pd.DataFrame(list(lines), dtype=object).fillna("")
    return f"\n{table.to_markdown(index=False, disable_numparse=True)}\n"


def main() -> None:
    """Bring results.csv and comparison.csv up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="holds a folder for each experiment")
    folder = parser.parse_args().folder
    found = collect(folder)
    if found.empty:
        sys.exit(f"error: no finished run below {folder}. benchmarks/results.sh trains them.")
    update(found)
    if (compared := folder / "encoders" / "compared" / COMPARISON.name).is_file():
        shutil.copy(compared, COMPARISON)
    print(f"{len(found)} scorings below {folder}, written to {TABLE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
