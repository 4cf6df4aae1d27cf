"""The examples run an exported model without PyTorch, and find the labels that predict finds."""

import json
import shutil
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from browser import PHONE, browser  # noqa: F401
from commands import succeed
from conftest import ROOT
from PIL import Image

from segmentation.streets import draw_scene

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The shipped model as model.onnx, a street scene, and the mask of predict.py."""
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("exported")
    succeed("export.py", "format=onnx", f"output={folder}", child=True)
    Image.fromarray(draw_scene(0, 0, (360, 480))[0]).save(folder / "street.png")
    words = [f"input={folder}/street.png", f"output={folder}/masks", "precision=32-true"]
    succeed("predict.py", *words, child=True)
    return folder


def test_onnx_runtime_alone_finds_the_same_labels(exported, tmp_path):
    script = (EXAMPLES / "onnx_runtime.py").read_text()
    # torch must not be needed: importing it fails
    guarded = f"import sys\nsys.modules['torch'] = None\n{script}"
    words = [exported / "model.onnx", exported / "street.png", tmp_path / "mask.png"]
    done = subprocess.run(
        [sys.executable, "-c", guarded, *map(str, words)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = np.array(Image.open(tmp_path / "mask.png"))
    expected = np.array(Image.open(exported / "masks/street.png"))
    assert (found == expected).mean() > 0.999
    shares = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines())
    assert shares["Road"] == f"{(found == 3).mean():.1%}"


@pytest.fixture(scope="module")
def page_folder(exported, tmp_path_factory):
    """The example for browsers, bundled, with the exported model beside it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on this machine")
    folder = tmp_path_factory.mktemp("browser")
    for name in ("package.json", "index.html", "main.js"):
        shutil.copy(EXAMPLES / "browser" / name, folder)
    (folder / "public").mkdir()
    for name in ("model.onnx", "export.json"):
        shutil.copy(exported / name, folder / "public")
    for words in (["install", "--no-audit", "--no-fund"], ["run", "build"]):
        done = subprocess.run([npm, *words], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"


@pytest.fixture(scope="module")
def address(page_folder):
    """The folder, served by loopback."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(page_folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize("size", [{"viewport": {"width": 1280, "height": 900}}, PHONE])
def test_a_browser_finds_the_same_labels(exported, address, browser, size):  # noqa: F811
    page = browser.new_context(**size).new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    status = page.get_by_role("status")
    status.filter(has_text="Ready.").wait_for(timeout=60_000)

    page.set_input_files("#file", str(exported / "street.png"))
    status.filter(has_text="segmented in").wait_for(timeout=120_000)
    expected = np.array(Image.open(exported / "masks/street.png"))
    height, width = expected.shape
    pixels = page.evaluate(
        "([w, h]) => Array.from(document.getElementById('labels').getContext('2d')"
        ".getImageData(0, 0, w, h).data)",
        [width, height],
    )
    found = np.array(pixels, np.uint8).reshape(height, width, 4)[..., :3]
    colors = json.loads((exported / "export.json").read_text())["file"]["model"]["classes"]
    assert (found == np.array(colors["colors"], np.uint8)[expected]).all(axis=2).mean() > 0.999
    legend = page.get_by_role("listitem").all_inner_texts()
    assert legend[0].split()[-1] == f"{np.bincount(expected.ravel()).max() / expected.size:.1%}"
    assert page.evaluate("document.documentElement.scrollWidth") <= size["viewport"]["width"]
    assert all(url.startswith((address, "data:", "blob:")) for url in asked)
    assert not said

    page.set_input_files(
        "#file", files=[{"name": "a.png", "mimeType": "image/png", "buffer": b"no"}]
    )
    status.filter(has_text="a.png is no picture").wait_for()
