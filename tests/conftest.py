"""Fixtures that many test files share: the tiny bundles, pictures, and what a machine may lack."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests import bundles
from venturi import Autoencoder, Codec, Denoiser

if TYPE_CHECKING:
    from tests.browser import Page

REQUIRE_TOOLS = "VENTURI_REQUIRE_TOOLS"
"""Set where every tool is installed, as .ci/run does: a missing one fails its test."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full", action="store_true",
        help="try the faults of tests/robustness at length, and keep the counts",
    )  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, since they share fixtures that are slow to make."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.name))


@pytest.fixture(scope="session")
def codec() -> Codec:
    """The tiny codec."""
    return Codec(bundles.CODEC, threads=1)


@pytest.fixture(scope="session")
def denoiser() -> Denoiser:
    """The tiny denoiser of single frames, a blur of 3x3 pixels."""
    return Denoiser(bundles.DENOISER, threads=1)


@pytest.fixture(scope="session")
def recurrent() -> Denoiser:
    """The tiny denoiser that remembers a running mean of 4x4 pixels."""
    return Denoiser(bundles.RECURRENT, threads=1)


@pytest.fixture(scope="session")
def autoencoder() -> Autoencoder:
    """The tiny autoencoder of 8x8 pixels."""
    return Autoencoder(bundles.AUTOENCODER, threads=1)


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three generated pictures of several sizes to train on; not to be changed."""
    from tests.training import pictures  # here, since it imports the trainer

    return pictures(tmp_path_factory.mktemp("training") / "pictures")


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return a function that finds a part of the data folder, or skips the test."""

    def find(name: str) -> Path:
        folder = os.environ.get("VENTURI_DATA")
        if not folder:
            pytest.skip(f"VENTURI_DATA is not set; expected a folder that holds {name}")
        path = Path(folder) / name
        if not path.exists():
            pytest.skip(f"VENTURI_DATA is {folder}, without {name}: add it to run this test")
        return path

    return find


@pytest.fixture(scope="session")
def web_page(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Page]":
    """A page of a headless Chromium that opens files."""
    from tests import browser  # here, since it needs a system with POSIX processes

    program = browser.find() or _missing(browser.MISSING)
    with browser.page(program, tmp_path_factory.mktemp("browser") / "profile") as page:
        yield page


def _missing(message: str) -> NoReturn:
    """Skip a test for want of a tool; fail it where all of them must be there."""
    if os.environ.get(REQUIRE_TOOLS):
        pytest.fail(f"{message} ({REQUIRE_TOOLS} is set)")
    pytest.skip(message)
