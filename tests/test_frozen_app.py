"""An application frozen by PyInstaller, without flags, compresses and restores a picture."""

import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401  (registers itself)
import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from PIL import Image

from venturi import Codec, images

ROOT = Path(__file__).parent.parent
APP = ROOT / "examples" / "frozen_app" / "app.py"
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]
NEEDS = ["numpy", "pyinstaller", *EXTRAS["cpu"], *EXTRAS["images"]]

pillow_heif.register_heif_opener()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="packages are linked, not copied"),
]


def distributions(requirements: list[str]) -> set[str]:
    """Return the installed distributions that meet these, and what they need."""
    todo, seen = [Requirement(line).name for line in requirements], set[str]()
    while todo:
        found = distribution(todo.pop())
        if found.name in seen:
            continue
        seen.add(found.name)
        needs = map(Requirement, found.requires or ())
        todo += [r.name for r in needs if r.marker is None or r.marker.evaluate({"extra": ""})]
    return seen


def make_environment(folder: Path) -> Path:
    """Make an environment as an application's author has it: venturi's wheel and its needs.

    The packages are linked from this environment, which has much more: PyInstaller would pack it.
    """
    venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in distributions(NEEDS):
        files = distribution(name).files or []
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            if not (site / top).exists():  # namespace packages have several distributions
                (site / top).symlink_to(Path(str(distribution(name).locate_file(top))))
    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"]))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frozen application's program."""
    folder = tmp_path_factory.mktemp("frozen")
    python = make_environment(folder / "env")
    command = [str(python), "-m", "PyInstaller", "--log-level", "WARN", str(APP)]
    environment = {"PATH": "/usr/bin:/bin", "PYINSTALLER_CONFIG_DIR": str(folder / "cache")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "dist" / "app" / "app"


def run(app: Path, *arguments: str, folder: Path) -> str:
    """Run it where nothing but itself can be found: no PATH, no PYTHONPATH, an empty folder."""
    done = subprocess.run(
        [str(app), *arguments], cwd=folder, env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["8.png", "16.png", "8.jpg", "8.webp", "8.heic", "8.jxl"])
def test_it_compresses_and_restores_a_picture(app: Path, tmp_path: Path, name: str) -> None:
    write_picture(tmp_path / name)
    told = run(app, name, "photo.vnt", folder=tmp_path)
    run(app, "photo.vnt", "restored.png", folder=tmp_path)
    codec = Codec("photo")
    stream = (tmp_path / "photo.vnt").read_bytes()
    assert told == f"{(tmp_path / name).stat().st_size} bytes -> {len(stream)} bytes\n"
    assert stream == codec.compress(images.read(tmp_path / name).pixels, quality=50)
    restored = images.read(tmp_path / "restored.png").pixels
    np.testing.assert_array_equal(restored, codec.decompress(stream))


def write_picture(path: Path) -> None:
    """Write a picture; each kind is read by another library."""
    rows, columns = np.mgrid[0:90, 0:130]
    pixels = np.stack([rows, columns, rows + columns], -1).astype(np.uint8)
    if path.stem == "16":
        cv2.imwrite(str(path), pixels.astype(np.uint16) * 257)
    else:
        Image.fromarray(pixels).save(path)


def test_the_hook_knows_all_that_is_imported_by_a_call() -> None:
    hook = (ROOT / "runtime/venturi/__pyinstaller/hook-venturi.py").read_text(encoding="utf-8")
    code = [path.read_text(encoding="utf-8") for path in (ROOT / "runtime/venturi").rglob("*.py")]
    called = {
        name
        for text in code
        for name in re.findall(r'(?:import_module|_imported)\("([\w.]+)"', text)
    }
    called |= {name for text in code for name in re.findall(r"^ +import (cv2|av)$", text, re.M)}
    assert {"PIL.Image", "simplejpeg", "cv2", "av"} <= called
    assert {name for name in called if f'"{name}"' not in hook} == {
        "onnxruntime.capi.onnxruntime_pybind11_state"  # onnxruntime imports it
    }


def test_it_has_every_model_and_the_kernel(app: Path) -> None:
    shipped = ROOT / "runtime" / "venturi"
    packed = app.parent / "_internal" / "venturi"
    models = {path.relative_to(shipped) for path in shipped.glob("models/*/*")}
    assert models
    assert {path.relative_to(packed) for path in packed.glob("models/*/*")} == models
    kernels = {path.name for path in packed.glob("_entropy/_rans.so")}
    with zipfile.ZipFile(next(app.parents[2].glob("env/*.whl"))) as wheel:
        built = "venturi/_entropy/_rans.so" in wheel.namelist()
    assert kernels == ({"_rans.so"} if built else set())


def test_the_hook_itself_is_left_behind(app: Path) -> None:
    assert not (app.parent / "_internal" / "venturi" / "__pyinstaller").exists()
