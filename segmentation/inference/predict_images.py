"""Read images, predict them and write the results, all three at the same time."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from segmentation.data.files import MORE
from segmentation.data.images.image_format import NO_LIMIT, opened
from segmentation.data.images.image_reader import Decoded, ImageReader
from segmentation.data.images.windowed import WindowedImage
from segmentation.errors import DataError
from segmentation.inference.large_images import predict_large
from segmentation.inference.marks import MARK
from segmentation.inference.predict_ahead import predict_ahead
from segmentation.inference.prediction_files import CONFIDENCE, PredictionFiles
from segmentation.inference.predictor import Predictor


@dataclass(frozen=True, eq=False)
class ReadImage:
    """An image that has been read.

    Attributes:
        path: its file.
        image: its pixels.
    """

    path: Path
    image: Decoded


@dataclass
class ImageReport:
    """The outcome of a prediction of several images.

    Attributes:
        unreadable: why an image could not be read, or its mask not be written.
        resized: number of images that were resized for the model.
    """

    unreadable: dict[Path, str]
    resized: int = 0


def predict_images(
    predictor: Predictor,
    names: Mapping[Path, str],
    files: PredictionFiles,
    advance: Callable[[], object],
) -> ImageReport:
    """Predict images and write what belongs to each; those that cannot be read are left out.

    Args:
        predictor: of the model.
        names: of the masks, without suffix, by image.
        files: writes them.
        advance: called after each image.
    """
    report = ImageReport({})
    large = [path for path in names if path in files.kinds.large]

    def read() -> Iterator[ReadImage]:
        for path in names:
            if path not in files.kinds.large:
                try:
                    yield ReadImage(path, read_image(path, predictor.reader))
                except DataError as error:
                    report.unreadable[path] = str(error)
                    advance()

    confidence = CONFIDENCE in files.pictures and predictor.classes is not None
    results = predict_ahead(predictor, read(), lambda item: item.image, confidence)
    with closing(results):
        for item, result in results:
            assert result is not None
            try:
                files.write(item.path, names[item.path], result)
            except DataError as error:
                report.unreadable[item.path] = str(error)
            size = item.image.pixels.shape[:2]
            report.resized += predictor.size is None and predictor.seen_size(*size) != size
            advance()

    for path in large:
        try:
            with files.writing(files.mask_file(path, names[path])) as partial:
                tags = {MARK: files.mark(path)}
                predict_large(predictor, WindowedImage(path, predictor.reader), partial, tags)
            files.in_windows += 1
        except DataError as error:
            report.unreadable[path] = str(error)
        advance()
    return report


def read_image(path: Path, reader: ImageReader) -> Decoded:
    """Read an image to predict.

    Raises:
        DataError: it cannot be read, or is an animation; the message is in the words of predict.
    """
    try:
        _check_still(path)
        return reader.read(path)
    except DataError as error:
        message = str(error).replace(MORE, "The model takes 8-bit RGB: save it as that.")
        raise DataError(message.replace("data.max_pixels", "max_pixels")) from error


def _check_still(path: Path) -> None:
    """Refuse an animation, of which the first picture would be read alone."""
    try:
        with opened(path, NO_LIMIT) as image:
            moving = image.format in ("GIF", "PNG", "WEBP") and getattr(image, "is_animated", False)
    except Exception:  # a damaged file makes Pillow raise nearly anything; reading it tells why
        return
    if moving:
        raise DataError(
            f"{path} is an animation. Convert it to a video, or its pictures to files: "
            f"ffmpeg -i {path.name} {path.stem}.mp4"
        )
