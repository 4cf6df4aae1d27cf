"""Measure predict.py beside its bare network: images a second, their ratio, and peak memory.

    python benchmarks/prediction.py <CamVid> [seconds of video] [rounds]

The bare network is the predictor's own, in the same precision, image by image, on tensors that are
in memory: no decoding, no labels, no files. Both go over CamVid's val images in turns of 20 in one
process, so that whatever else the machine does meets both. Then the same for a video of CamVid's
frames at 25 a second, which is written first, with the memory at half of it and at its end.
"""

import os
import resource
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as commands do, before torch is imported

import av
import numpy as np
import torch

from segmentation import Predictor
from segmentation.data.images.image_reader import ImageReader
from segmentation.inference.predict_images import predict_images
from segmentation.inference.predict_videos import predict_video
from segmentation.inference.prediction_files import PredictionFiles
from segmentation.inference.wrapper import outputs

PIECE = 20
"""Images of a turn."""
RATE = 25
"""Frames of the video in a second."""


def main(root: Path, seconds: int, rounds: int) -> None:
    """Print the figures."""
    paths = sorted((root / "val").glob("*.png"))
    predictor = Predictor()
    images = [ImageReader().read(path).pixels for path in paths]
    print(f"{len(paths)} images, {torch.get_num_threads()} threads, {predictor.dtype or 'float32'}")
    bare(predictor, images[:5])  # warm
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds):
            network, command = Watch(), Watch()
            for start in range(0, len(paths), PIECE):
                piece = slice(start, start + PIECE)
                with network:
                    bare(predictor, images[piece])
                with command:
                    write_masks(predictor, paths[piece], Path(folder, f"{turn}_{start}"))
            compare("images", network, command, len(paths))
            print(f"peak memory {peak():.0f} MB")
        if seconds:
            measure_video(predictor, images, seconds, Path(folder))


class Watch:
    """Adds up the seconds of blocks of code, and those of all processor cores in them."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter() - self._start[0]
        self.cpu += time.process_time() - self._start[1]


def compare(name: str, network: Watch, command: Watch, count: int) -> None:
    """Print both rates and their ratio, and the ratio of the work, whatever else the cores do."""
    print(
        f"{name}: bare {count / network.wall:.2f}/s, predict.py {count / command.wall:.2f}/s, "
        f"ratio {network.wall / command.wall:.3f}; "
        f"{1000 * network.cpu / count:.0f} and {1000 * command.cpu / count:.0f} ms of a core, "
        f"ratio {network.cpu / command.cpu:.3f}"
    )


@torch.inference_mode()
def bare(predictor: Predictor, images: list[np.ndarray]) -> None:
    """Run the network on images, one by one."""
    for image in images:
        batch = torch.from_numpy(image).permute(2, 0, 1)[None]
        with torch.autocast("cpu", predictor.dtype, enabled=predictor.dtype is not None):
            outputs(predictor.model, batch)


def write_masks(predictor: Predictor, paths: list[Path], out: Path) -> None:
    """Do what predict.py does for a folder of images."""
    out.mkdir()
    files = PredictionFiles(out, predictor.classes, predictor.columns, (), predictor.facts())
    predict_images(predictor, {path: path.stem for path in paths}, files, lambda: None)
    assert len(list(out.iterdir())) == len(paths)


def measure_video(
    predictor: Predictor, images: list[np.ndarray], seconds: int, folder: Path
) -> None:
    """Print the figures of a video."""
    source, count = folder / "street.mp4", seconds * RATE
    height, width = images[0].shape[:2]
    with av.open(str(source), "w") as file:
        video = file.add_stream("libx264", RATE)
        video.height, video.width, video.pix_fmt = height, width, "yuv420p"
        for image in islice(cycle(images), count):
            file.mux(video.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        file.mux(video.encode(None))

    memory: list[tuple[float, float]] = []
    network, command = Watch(), Watch()
    with network:
        bare(predictor, images)
    with command:
        predict_video(
            predictor, source, folder / "out.mp4", "",
            lambda done, _: memory.append((done, now())), print,
        )  # fmt: skip
    with network:
        bare(predictor, images)
    for part in ("wall", "cpu"):  # of as many images as the video has frames
        setattr(network, part, getattr(network, part) * count / (2 * len(images)))
    compare(f"video of {count} frames", network, command, len(memory))
    half = max(used for done, used in memory if done < seconds / 2)
    whole = max(used for _, used in memory)
    print(f"memory {half:.0f} MB until half, {whole:.0f} MB until the end")


def peak() -> float:
    """Return the largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def now() -> float:
    """Return the memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    more = [int(word) for word in sys.argv[2:]]
    main(Path(sys.argv[1]), *(more + [60, 3][len(more) :]))
