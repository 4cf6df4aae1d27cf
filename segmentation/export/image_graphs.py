"""The parts of an exported graph around the network, in operators of ONNX.

`image_graph` turns an image as it is into the network's input, as `Predictor.seen_size` and
`resize_image` do; `result_graph` brings the network's logits back to the image's own size, as
`label_map` does. They are written as Python, and become graphs without being run.
"""

# mypy: ignore-errors

from math import prod

from onnx import TensorProto, helper, inliner
from onnxscript import opset20, script
from onnxscript import opset20 as op

from segmentation.inference.predictor import MAX_ENLARGEMENT

Size = tuple[int, int]

TYPES = {
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "float32": TensorProto.FLOAT,
}
"""The types of images, see `Channels.dtype`."""


@script(default_opset=opset20)
def area_weights(length, target):
    """Return the matrix (target, length) that averages pixels of an axis as cv2's INTER_AREA.

    Pixel i of the result covers the interval from i to i + 1, times length / target.
    """
    zero = op.Constant(value_int=0)
    one = op.Constant(value_int=1)
    scale = op.Cast(length, to=TensorProto.DOUBLE) / op.Cast(target, to=TensorProto.DOUBLE)
    pixel = op.CastLike(op.Range(zero, length, one), scale)
    start = op.Unsqueeze(op.CastLike(op.Range(zero, target, one), scale) * scale, one)
    end = op.Min(pixel + op.CastLike(1.0, scale), start + scale)
    overlap = op.Max(end - op.Max(pixel, start), op.CastLike(0.0, scale))
    return op.Cast(overlap / scale, to=TensorProto.FLOAT)


@script(default_opset=opset20)
def positions(length, target):
    """Return where the centres of `target` pixels lie on an axis of `length`, `float32`."""
    zero = op.Constant(value_int=0)
    one = op.Constant(value_int=1)
    scale = op.Cast(length, to=TensorProto.DOUBLE) / op.Cast(target, to=TensorProto.DOUBLE)
    half = op.CastLike(0.5, scale)
    centre = (op.CastLike(op.Range(zero, target, one), scale) + half) * scale - half
    return op.Cast(centre, to=TensorProto.FLOAT)


@script(default_opset=opset20)
def neighbours(position, floor, length):
    """Return both pixels beside each position, and their weights in 2048ths, `int32`."""
    zero = op.Constant(value_int=0)
    one = op.Constant(value_int=1)
    index = op.Cast(floor, to=TensorProto.INT64)
    first = op.Clip(index, zero, length - one)
    second = op.Clip(index + one, zero, length - one)
    share = position - floor
    left = op.Cast(op.Round((1.0 - share) * 2048.0), to=TensorProto.INT32)
    right = op.Cast(op.Round(share * 2048.0), to=TensorProto.INT32)
    return first, second, left, right


@script(default_opset=opset20)
def linear_uint8(planes, size, target):
    """Interpolate as cv2's INTER_LINEAR does for `uint8`: in whole numbers, to the last bit."""
    height, width = op.Split(size, num_outputs=2)
    rows, columns = op.Split(target, num_outputs=2)
    last = op.Squeeze(width) - op.Constant(value_int=1)
    x = positions(op.Squeeze(width), op.Squeeze(columns))
    x = op.Clip(x, 0.0, op.Cast(last, to=TensorProto.FLOAT))  # rows are clipped afterwards
    left, right, near, far = neighbours(x, op.Floor(x), op.Squeeze(width))
    y = positions(op.Squeeze(height), op.Squeeze(rows))
    top, bottom, above, below = neighbours(y, op.Floor(y), op.Squeeze(height))
    whole = op.Cast(planes, to=TensorProto.INT32)
    mixed = op.Gather(whole, left, axis=3) * near + op.Gather(whole, right, axis=3) * far
    mixed = mixed / op.CastLike(16, mixed)
    above = op.Unsqueeze(above, op.Constant(value_int=1)) * op.Gather(mixed, top, axis=2)
    below = op.Unsqueeze(below, op.Constant(value_int=1)) * op.Gather(mixed, bottom, axis=2)
    unit = op.CastLike(65536, mixed)
    total = above / unit + below / unit + op.CastLike(2, mixed)
    return op.Cast(total / op.CastLike(4, mixed), to=TensorProto.FLOAT)


@script(default_opset=opset20)
def linear(planes, size, target):
    """Interpolate as cv2's INTER_LINEAR does for other types."""
    shape = op.Concat(op.Shape(planes, start=0, end=2), target, axis=0)
    return op.Resize(
        planes,
        None,
        None,
        shape,
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )


@script(default_opset=opset20)
def rounded(values):
    """Round to the nearest whole number, halves to even ones."""
    return op.Round(values)


@script(default_opset=opset20)
def as_is(values):
    """Leave values of `float32` images, and such as are whole, as they are."""
    return op.Identity(values)


def _resizing(dtype):
    """Return the function that resizes planes N,C,H,W, see `resize_image`."""
    interpolated = linear_uint8 if dtype == "uint8" else linear
    averaged = as_is if dtype == "float32" else rounded
    finished = rounded if dtype == "uint16" else as_is

    @script(default_opset=opset20)
    def resized(planes, size, target):
        zoom = op.Cast(target, to=TensorProto.FLOAT) / op.Cast(size, to=TensorProto.FLOAT)
        smallest = op.ReduceMin(zoom, keepdims=0)
        if op.And(smallest < 0.5, op.ReduceMax(zoom, keepdims=0) < 1.0):
            height, width = op.Split(size, num_outputs=2)
            rows, columns = op.Split(target, num_outputs=2)
            vertical = area_weights(op.Squeeze(height), op.Squeeze(rows))
            horizontal = area_weights(op.Squeeze(width), op.Squeeze(columns))
            shrunk = op.MatMul(planes, op.Transpose(horizontal, perm=[1, 0]))
            result = averaged(op.MatMul(vertical, shrunk))
        else:
            result = finished(interpolated(planes, size, target))
        return result

    return resized


def _rule(fixed, learnt):
    """Return the function from an image's H,W to those that the network sees.

    Args:
        fixed: H,W of every image; None: see `learnt`.
        learnt: the median H,W of the training images; see `Predictor.seen_size`.
    """
    if fixed is not None:
        height, width = fixed

        @script(default_opset=opset20)
        def target_size(size):
            return op.Constant(value_ints=[height, width])

        return target_size

    short, most = float(min(learnt)), float(MAX_ENLARGEMENT * prod(learnt))

    @script(default_opset=opset20)
    def target_size(size):
        sides = op.Cast(size, to=TensorProto.DOUBLE)
        one = op.CastLike(1.0, sides)
        zoom = op.CastLike(short, sides) / op.ReduceMin(sides, keepdims=0)
        usual = op.And(zoom >= op.CastLike(0.5, sides), zoom <= op.CastLike(2.0, sides))
        zoom = op.Where(usual, one, zoom)
        pixels = op.ReduceProd(sides, keepdims=0)
        zoom = op.Min(zoom, op.Sqrt(op.CastLike(most, sides) / pixels))
        return op.Max(
            op.Cast(op.Round(sides * zoom), to=TensorProto.INT64), op.Constant(value_int=1)
        )

    return target_size


def image_graph(channels, dtype, fixed, learnt):
    """Return the graph from `image` (N, H, W, C) to `pixels` and the image's `size`.

    Args:
        channels: of the images.
        dtype: of the images, a key of `TYPES`.
        fixed, learnt: see `_rule`; both None: nothing is resized.

    Returns:
        A model whose outputs are `pixels`, `float32` (N, C, h, w), and `size`, `int64` (2,).
    """
    if fixed is None and learnt is None:

        @script(default_opset=opset20)
        def prepare(image):
            size = op.Shape(image, start=1, end=3)
            pixels = op.Cast(op.Transpose(image, perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
            return pixels, size

    else:
        target_size, resized = _rule(fixed, learnt), _resizing(dtype)

        @script(default_opset=opset20)
        def prepare(image):
            size = op.Shape(image, start=1, end=3)
            target = target_size(size)
            planes = op.Cast(op.Transpose(image, perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
            equal = op.Cast(op.Equal(size, target), to=TensorProto.INT64)
            if op.ReduceMin(equal, keepdims=0) == op.Constant(value_int=1):
                pixels = op.Identity(planes)
            else:
                pixels = resized(planes, size, target)
            return pixels, size

    return _model(
        prepare,
        [("image", TYPES[dtype], ["batch", "height", "width", channels])],
        [
            ("pixels", TensorProto.FLOAT, ["batch", channels, "seen_height", "seen_width"]),
            ("size", TensorProto.INT64, [2]),
        ],
    )


def result_graph(classes, labels):
    """Return the graph from `scores` (N, K, h, w) and the image's `size` to the result.

    Args:
        classes: K.
        labels: the result is `labels`, `uint8` (N, H, W); else `logits`, `float32` (N, K, H, W).
    """

    @script(default_opset=opset20)
    def at_size(scores, size):
        equal = op.Cast(op.Equal(op.Shape(scores, start=2, end=4), size), to=TensorProto.INT64)
        if op.ReduceMin(equal, keepdims=0) == op.Constant(value_int=1):
            logits = op.Identity(scores)
        else:
            shape = op.Concat(op.Shape(scores, start=0, end=2), size, axis=0)
            logits = op.Resize(
                scores,
                None,
                None,
                shape,
                mode="linear",
                coordinate_transformation_mode="half_pixel",
            )
        return logits

    @script(default_opset=opset20)
    def label(scores, size):
        best = op.ArgMax(at_size(scores, size), axis=1, keepdims=0)
        labels = op.Cast(best, to=TensorProto.UINT8)
        return labels  # noqa: RET504  # the name of the output

    inputs = [
        ("scores", TensorProto.FLOAT, ["batch", classes, "seen_height", "seen_width"]),
        ("size", TensorProto.INT64, [2]),
    ]
    if labels:
        return _model(label, inputs, [("labels", TensorProto.UINT8, ["batch", "height", "width"])])
    result = ("logits", TensorProto.FLOAT, ["batch", classes, "height", "width"])
    return _model(at_size, inputs, [result])


def _model(function, inputs, outputs):
    """Return a function as a model of one graph, with the names and types of its values."""
    model = inliner.inline_local_functions(function.to_model_proto())
    ends = [(model.graph.input, inputs), (model.graph.output, outputs)]
    for values, named in ends:
        # the last assignment of a name that was assigned before has a number
        final = {old.name: new[0] for old, new in zip(values, named, strict=True)}
        for node in model.graph.node:
            node.output[:] = [final.get(name, name) for name in node.output]
        del values[:]
        values.extend(helper.make_tensor_value_info(*value) for value in named)
    _declare_branches(model.graph)
    return model


def _declare_branches(graph):
    """Declare the type of what the branches of an `If` return: all of them return planes."""
    for node in graph.node:
        for branch in (attribute.g for attribute in node.attribute if attribute.HasField("g")):
            names = [output.name for output in branch.output]
            del branch.output[:]
            branch.output.extend(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4) for name in names
            )
            _declare_branches(branch)
