"""The UNet is compiled without a break and exported for every size."""

import pytest
import torch
from small_models import pictures, small_unet
from torch.export import Dim


@pytest.fixture(scope="module")
def unet():
    return small_unet()


def test_it_compiles_without_a_break(unet):
    compiled = torch.compile(unet, fullgraph=True, backend="eager", dynamic=False)
    images = pictures(1, 3, 40, 50)
    with torch.no_grad():
        torch.testing.assert_close(compiled(images), unet(images))


def export_any_size(model):
    sizes = {"images": {0: Dim("batch"), 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}}
    exported = torch.export.export(model, (pictures(2, 3, 90, 119),), dynamic_shapes=sizes)
    for shape in [(1, 3, 64, 96), (3, 3, 33, 128), (2, 3, 96, 71)]:
        images = pictures(*shape)
        with torch.no_grad():
            # the graph takes the identity in every block, eager mode in large ones: other roundings
            torch.testing.assert_close(
                exported.module()(images), model(images), rtol=1e-4, atol=1e-4
            )


@pytest.mark.slow
def test_one_exported_graph_serves_every_size(unet):
    export_any_size(unet)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tf_efficientnet_lite0", {}),
        ("convnext_tiny", {}),
        ("vgg11_bn", {}),
        ("test_resnet", {"upsampling": "bilinear", "attention": "scse", "center": True}),
        ("test_resnet", {"upsampling": "transpose", "norm": "group"}),
    ],
)
def test_other_encoders_and_options_export_too(name, options):
    export_any_size(small_unet(name=name, **options))


@pytest.mark.slow
def test_swin_exports_for_one_size():
    model = small_unet(name="swin_tiny_patch4_window7_224")
    images = pictures(2, 3, 64, 96)
    exported = torch.export.export(model, (images,), dynamic_shapes={"images": {0: Dim("batch")}})
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(images[:1].repeat(3, 1, 1, 1))[:1],
                                   model(images)[:1])  # fmt: skip


@pytest.mark.slow
def test_it_compiles_to_machine_code(unet):
    images = pictures(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(unet)(images), unet(images), rtol=1e-3, atol=1e-3)
