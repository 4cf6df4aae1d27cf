"""Segment a picture without PyTorch: `python onnx_runtime.py model.onnx street.jpg mask.png`.

Needs numpy, onnxruntime and Pillow, and a file that `export.py format=onnx` wrote.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

model, source, target = sys.argv[1:]
session = onnxruntime.InferenceSession(model)
image = ImageOps.exif_transpose(Image.open(source)).convert("RGB")
(labels,) = session.run(["labels"], {"image": np.asarray(image)[None]})

description = json.loads(session.get_modelmeta().custom_metadata_map["cityseg"])
classes = description["model"]["classes"]
mask = Image.fromarray(labels[0])
mask.putpalette([channel for color in classes["colors"] for channel in color])
mask.save(target)
for label, name in enumerate(classes["names"]):
    print(f"{name:14} {(labels == label).mean():6.1%}")
