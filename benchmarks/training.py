"""Training speed, inference speed and memory beside segmentation_models_pytorch (SMP).

    python benchmarks/training.py [encoder ...] [--rounds 3] [--steps 8] [--json FILE]

Each contender is a process of its own that keeps its network and data and trains an epoch when its
turn comes, so that whatever else the machine does touches all alike. They are:

- "SMP script": SMP's CamVid example, a Lightning module in float32 on an albumentations data set;
- "SMP tuned": the same with what can be turned on by hand: bf16 where the hardware has it,
  channels_last, a fused optimizer, statistics left out; `--compile` compiles it too;
- "cityseg": train.py with its defaults, of which crop, batch and augmentation are those of all;
- "cityseg bare": its network, loss and optimizer in a loop, on a batch that stays in memory.

A step lasts from the end of a batch to the end of the next, data and logging included; the first
of an epoch, which starts workers, and the whole first round are left out. Peak memory is the
largest resident set of the process, its workers left out; on a GPU that of PyTorch's allocator.
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import segmentation_models_pytorch as smp
import torch
from data_loading import PlainDataset, configure, load
from omegaconf import DictConfig
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.data import DataLoader

from segmentation.build.training import read_training
from segmentation.config import plain
from segmentation.system.hardware import available_cores, fastest_precision, pick_accelerator

ENCODERS = ("vgg16_bn", "resnet34", "resnet50", "tf_efficientnet_lite0", "convnext_tiny")
CROP = (352, 480)
CLASSES = 12
"""Of the street scenes, with void, which the plain data set does not tell apart."""
KIND = pick_accelerator("auto", "trainer")
DEVICE = torch.device(KIND)


@dataclass(frozen=True)
class Setting:
    """What a contender trains.

    Attributes:
        encoder: timm's name.
        batch: images of a batch.
        steps: of an epoch.
        epochs: of the training.
        compiled: compile what is tuned by hand.
        folder: for data and runs.
    """

    encoder: str
    batch: int
    steps: int
    epochs: int
    compiled: bool
    folder: str

    def configuration(self, *more: str) -> DictConfig:
        """Return the configuration of train.py."""
        images = (self.steps + 1) * self.batch
        return configure(
            [
                f"data.root={self.folder}/streets",
                f"data.draw.counts={{train:{images},val:2}}",
                "data.draw.size=[360,480]",
                f"data.crop=[{CROP[0]},{CROP[1]}]",
                "data.size=null",
                f"data.batch_size={self.batch}",
                "encoder=timm",
                f"encoder.name={self.encoder}",
                "encoder.weights=none",
                "logger=none",
                f"trainer.max_epochs={self.epochs}",
                *more,
            ]
        )


class Turns(pl.Callback):
    """Train each epoch when the benchmark says so, and report the seconds of its steps."""

    def __init__(self, parent: Connection) -> None:
        self.parent = parent
        self.ends: list[float] = []

    def on_train_epoch_start(self, *_: object) -> None:
        self.parent.recv()
        self.ends = []

    def on_train_batch_end(self, *_: object) -> None:
        if KIND == "cuda":
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())

    def on_train_epoch_end(self, *_: object) -> None:
        steps = [after - before for before, after in zip(self.ends, self.ends[1:], strict=False)]
        self.parent.send((steps, peak_bytes()))


def peak_bytes() -> int:
    """Return the most memory that this process has had."""
    if KIND == "cuda":
        return torch.cuda.max_memory_allocated()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class SmpScript(pl.LightningModule):
    """SMP's CamVid example: Dice loss, Adam with a cosine, statistics of every batch."""

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: str, classes: int, tuned: bool, compiled: bool) -> None:
        super().__init__()
        model = smp_unet(encoder, classes)
        if tuned:
            model = model.to(memory_format=torch.channels_last)
        self.model = torch.compile(model) if compiled else model
        self.classes, self.tuned = classes, tuned
        self.loss = smp.losses.DiceLoss("multiclass", from_logits=True, ignore_index=255)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1) * 255)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        images, masks = batch[0], batch[1].long()
        images = (images - self.mean) / self.std
        if self.tuned:
            images = images.contiguous(memory_format=torch.channels_last)
        logits = self.model(images)
        loss = self.loss(logits.contiguous(), masks)
        if not self.tuned:
            smp.metrics.get_stats(
                logits.softmax(dim=1).argmax(dim=1),
                masks,
                mode="multiclass",
                num_classes=self.classes,
                ignore_index=255,
            )
        return loss

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-4, fused=self.tuned)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100, eta_min=1e-5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule}}


def smp_unet(encoder: str, classes: int) -> nn.Module:
    """Return SMP's UNet; encoders that it does not bring itself it takes from timm."""
    own = encoder in smp.encoders.encoders
    return smp.Unet(encoder if own else f"tu-{encoder}", encoder_weights=None, classes=classes)


def train_smp(setting: Setting, parent: Connection, tuned: bool) -> None:
    """Train SMP's network in a Lightning script."""
    cfg = setting.configuration("data.cache=off")
    data = load(cfg)
    samples = data.train_set.pairs.samples
    workers = data.train_dataloader().num_workers
    loader = DataLoader(
        PlainDataset(samples, plain(cfg.augment), CROP, normalize=False),
        setting.batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    compiled = tuned and setting.compiled
    module = SmpScript(setting.encoder, CLASSES, tuned, compiled)
    precision: Any = fastest_precision(KIND) if tuned else "32-true"
    pl.Trainer(
        accelerator=KIND,
        devices=1,
        precision=precision,
        max_epochs=setting.epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Turns(parent)],
    ).fit(module, loader)


def train_cityseg(setting: Setting, parent: Connection) -> None:
    """Train as train.py does."""
    directory = Path(tempfile.mkdtemp(dir=setting.folder))
    plan = read_training(setting.configuration("+trainer.limit_val_batches=0"), directory)
    options = plan.trainer_options(1)
    data = plan.find_data(options, 1)
    module = plan.build_module(data)
    trainer = plan.build_trainer(options, module, plan.build_loggers(), [Turns(parent)])
    trainer.fit(module, datamodule=data.loaders)


def train_bare(setting: Setting, parent: Connection) -> None:
    """Train cityseg's network, loss and optimizer on a batch in memory."""
    plan = read_training(setting.configuration(), Path(setting.folder))
    data = plan.find_data(plan.trainer_options(1), 1)
    module = plan.build_module(data).to(DEVICE)
    batch = next(iter(data.loaders.train_dataloader()))
    batch = {k: v.to(DEVICE) if isinstance(v, Tensor) else v for k, v in batch.items()}
    optimizer = module.make_optimizer(module.parameters())
    precision = fastest_precision(KIND)
    turns = Turns(parent)
    module.train()
    for _ in range(setting.epochs):
        turns.on_train_epoch_start()
        for _ in range(setting.steps + 1):
            with torch.autocast(KIND, torch.bfloat16, enabled=precision == "bf16-mixed"):
                loss, _ = module.loss(module(batch["image"]), batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            turns.on_train_batch_end()
        turns.on_train_epoch_end()


def predict(setting: Setting, parent: Connection, kind: str) -> None:
    """Let a network of random weights predict one image at a time, without reading or writing."""
    model: nn.Module
    if kind == "cityseg":
        from segmentation.models import build_model

        model = build_model({"name": setting.encoder, "weights": "none"}, {}, CLASSES)
    else:
        model = smp_unet(setting.encoder, CLASSES)
    if kind == "SMP tuned":
        model = model.to(memory_format=torch.channels_last)
    model = model.to(DEVICE).eval()
    fast = kind != "SMP script" and fastest_precision(KIND) == "bf16-mixed"
    image = torch.rand(1, 3, *CROP, device=DEVICE)
    if kind != "SMP script":
        image = image.contiguous(memory_format=torch.channels_last)
    turns = Turns(parent)
    with torch.inference_mode(), torch.autocast(KIND, torch.bfloat16, enabled=fast):
        for _ in range(setting.epochs):
            turns.on_train_epoch_start()
            for _ in range(setting.steps + 1):
                model(image).argmax(1)
                turns.on_train_batch_end()
            turns.on_train_epoch_end()


Contender = Callable[[Setting, Connection], None]
TRAINING: dict[str, Contender] = {
    "SMP script": partial(train_smp, tuned=False),
    "SMP tuned": partial(train_smp, tuned=True),
    "cityseg": train_cityseg,
    "cityseg bare": train_bare,
}
INFERENCE: dict[str, Contender] = {
    name: partial(predict, kind=name) for name in ("SMP script", "SMP tuned", "cityseg")
}
TASKS = {"training": TRAINING, "inference": INFERENCE}


def contend(task: str, name: str, setting: Setting, parent: Connection) -> None:
    """Be a contender, in a process of its own."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(available_cores())
    torch.manual_seed(0)
    TASKS[task][name](setting, parent)


def measure(task: str, setting: Setting) -> dict[str, dict[str, float]]:
    """Return seconds of a step (median, quartiles) and the peak of memory of each contender."""
    context = multiprocessing.get_context("spawn")
    ends, children = {}, []
    for name in TASKS[task]:
        ends[name], other = context.Pipe()
        child = context.Process(target=contend, args=(task, name, setting, other))
        child.start()
        children.append(child)
        other.close()  # so that the end of the child is the end of the pipe
    seconds: dict[str, list[float]] = {name: [] for name in ends}
    peak = dict.fromkeys(ends, 0)
    for round_ in range(setting.epochs):
        for name, end in ends.items():
            end.send("go")
            steps, peak[name] = end.recv()
            if round_:  # the first one warms up
                seconds[name] += steps
    for child in children:
        child.join()
    return {
        name: {
            "median_s": statistics.median(times),
            "low_s": statistics.quantiles(times, n=4)[0],
            "high_s": statistics.quantiles(times, n=4)[2],
            "peak_bytes": peak[name],
        }
        for name, times in seconds.items()
    }


def machine() -> dict[str, object]:
    """Describe what the figures are of."""
    cpu = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(": ")[2] if names else cpu
    return {
        "device": torch.cuda.get_device_name() if KIND == "cuda" else cpu,
        "cores": available_cores(),
        "precision": fastest_precision(KIND),
        "torch": torch.__version__,
        "smp": smp.__version__,
    }


def show(console: Console, title: str, batch: int, found: dict[str, dict[str, float]]) -> None:
    """Print a table of one encoder; ratios are to what is tuned by hand."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in ("images/s", "quartiles", "x SMP tuned", "peak GB", "of SMP tuned"):
        table.add_column(column, justify="right")
    base = found["SMP tuned"]
    for name, one in found.items():
        table.add_row(
            name,
            f"{batch / one['median_s']:.2f}",
            f"{batch / one['high_s']:.2f}–{batch / one['low_s']:.2f}",
            f"{base['median_s'] / one['median_s']:.2f}",
            f"{one['peak_bytes'] / 1e9:.2f}",
            f"{one['peak_bytes'] / base['peak_bytes']:.2f}",
        )
    console.print(table)


def main() -> None:
    """Measure each encoder, print a table of each, and write all as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoders", nargs="*", default=ENCODERS)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4, help="of an epoch, after the first")
    parser.add_argument("--compile", action="store_true", help="compile what is tuned by hand")
    parser.add_argument("--json", type=Path, help="write all figures there too")
    given = parser.parse_args()
    console = Console()
    results: dict[str, object] = {"machine": machine()}
    console.print(*(f"{key} {value}" for key, value in machine().items()), sep=", ")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
        for encoder in given.encoders:
            for task in TASKS:
                batch = given.batch if task == "training" else 1
                setting = Setting(
                    encoder, batch, given.steps, given.rounds + 1, given.compile, folder
                )
                found = measure(task, setting)
                title = f"{task}, {encoder}, batch {batch}, {CROP[0]}x{CROP[1]}"
                show(console, title, batch, found)
                results[title] = {"setting": {**asdict(setting), "folder": "temporary"}, **found}
                if given.json:
                    given.json.write_text(json.dumps(results, indent=2, default=str) + "\n")


if __name__ == "__main__":
    main()
