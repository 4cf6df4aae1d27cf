"""Write the masks of a file or a folder of images."""

from pathlib import Path

from omegaconf import DictConfig
from PIL import Image
from rich.progress import track

from segmentation import console
from segmentation.data.files import read_image
from segmentation.data.layouts import IMAGE_SUFFIXES
from segmentation.errors import ConfigError, DataError
from segmentation.hardware import pick_accelerator
from segmentation.inference.predictor import Predictor
from segmentation.pictures import overlay


def predict(cfg: DictConfig) -> None:
    """Write ``<stem>.png``, an 8-bit index mask of the image's own size, for each image.

    Raises:
        SegmentationError: for whatever a user can mend.
    """
    images = find_images(Path(cfg.input).expanduser())
    output = Path(cfg.output).expanduser()
    clash = {path.resolve() for path in images} & {
        (output / f"{path.stem}.png").resolve() for path in images
    }
    if clash:
        raise ConfigError(f"output={output} would overwrite input images, such as {clash.pop()}.")
    predictor = Predictor(cfg.model, pick_accelerator(cfg.device, "device"))
    output.mkdir(parents=True, exist_ok=True)
    for path in track(images, "predicting", console=console.console, disable=len(images) < 2):
        image = read_image(path)
        labels = predictor(image)
        Image.fromarray(labels).save(output / f"{path.stem}.png")
        if cfg.overlay:
            colored = overlay(image, labels, predictor.classes)
            Image.fromarray(colored).save(output / f"{path.stem}_overlay.png")
    console.console.print(f"{len(images)} masks written to {output}", soft_wrap=True)


def find_images(source: Path) -> list[Path]:
    """Return the file itself, or the images of a folder by name.

    Raises:
        DataError: there is none, or two would write the same mask.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(f"no file or folder {source}. Give input=<image or folder of images>.")
    images = sorted(path for path in source.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not images:
        raise DataError(f"no images in {source} ({', '.join(sorted(IMAGE_SUFFIXES))}).")
    stems = [path.stem for path in images]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise DataError(
            f"{source} has several images named {twice[0]}: their masks would overwrite each other."
        )
    return images
