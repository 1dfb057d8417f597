from pathlib import Path

import numpy as np
import pytest

from benchmarks import demo
from benchmarks.peers import closest_quality
from tests import browser, bundles
from venturi import images

MODELS = ["--codec", str(bundles.CODEC), "--denoiser", str(bundles.DENOISER)]


def make_photograph(path: Path, *, side: int) -> None:
    rows, columns = np.mgrid[0:side, 0:side]
    pixels = np.stack([rows % 256, columns % 256, (rows + columns) // 2 % 256], -1)
    images.write(path, pixels.astype(np.uint8))


def test_page_holds_every_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_photograph(tmp_path / "a & b.png", side=64)
    output = tmp_path / "out"
    photo = str(tmp_path / "a & b.png")
    assert demo.main([photo, *MODELS, "--runs", "1", "--output", str(output)]) == 0
    page = (output / "index.html").read_text(encoding="utf-8")
    assert page.count('src="data:image/webp;base64,') == 6
    assert "a &amp; b.png" in page
    assert "http" not in page.replace("http-equiv", "")
    shown = page.partition("<body>")[2].partition("<script>")[0]
    assert not any(mark in shown for mark in ("{{", "{%", "}}"))
    assert capsys.readouterr().out.rstrip().endswith((output / "index.html").as_uri())


def test_the_pictures_share_a_row_and_stack_on_a_phone(
    tmp_path: Path, web_page: browser.Page
) -> None:
    make_photograph(tmp_path / "a.png", side=64)
    options = [*MODELS, "--runs", "1", "--output", str(tmp_path)]
    assert demo.main([str(tmp_path / "a.png"), *options]) == 0
    for width, rows in ((1200, 1), (390, 4)):
        web_page.open(tmp_path / "index.html", width=width, height=800)
        assert web_page.run("document.documentElement.scrollWidth") == width
        tops = web_page.run(
            "[...document.querySelector('.pictures').children].map(figure => figure.offsetTop)"
        )
        assert (len(tops), len(set(tops))) == (4, rows)
    web_page.run("document.querySelector('.zoom').click()")
    assert web_page.run("document.querySelector('dialog img').naturalWidth") == 64
    web_page.run("document.querySelector('dialog').click()")
    assert web_page.run(
        "document.querySelector('dialog') === null || !document.querySelector('dialog').open"
    )


def test_a_bad_photograph_is_named_and_the_others_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_photograph(tmp_path / "good.png", side=64)
    (tmp_path / "bad.png").write_bytes(b"text")
    photos = [str(tmp_path / "bad.png"), str(tmp_path / "good.png")]
    assert demo.main([*photos, *MODELS, "--runs", "1", "--output", str(tmp_path)]) == 1
    assert "bad.png: 4 bytes that are no picture" in capsys.readouterr().err
    assert "good.png" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_large_picture_is_shown_in_its_middle() -> None:
    picture = np.zeros((1200, 1026, 3), np.uint8)
    picture[600, 513] = 255
    shown = demo.middle(picture)
    assert shown.shape == (1024, 1024, 3)
    assert shown[512, 512].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("limit", "quality"), [(0, 1), (10, 1), (95, 9), (1000, 100), (5000, 100)])
def test_closest_quality(limit: int, quality: int) -> None:
    assert closest_quality(lambda q: 10 * q, limit) == quality


def test_shipped_photographs_are_there() -> None:
    pytest.importorskip("skimage", reason="scikit-image ships the photographs of the demo")
    assert all(path.is_file() for path in demo.shipped_photographs())
