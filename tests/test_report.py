"""The report: what the page holds, and that it works in a browser, on a phone and on a desk."""

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import charts, registry, report, templating
from benchmarks.__main__ import main
from benchmarks.pieces import Table
from tests import browser, sample_results

PHONE, DESK = 390, 1280
HEIGHT = 844


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return results of every kind, and the page made from them."""
    path = tmp_path_factory.mktemp("results")
    sample_results.write(path)
    assert main(["report", "--results", str(path), "--html", str(path / "report.html")]) == 0
    return path


def test_the_page_needs_nothing_else(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page == report.page(folder)
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:|//|\.)""", page)
    assert "<!-- " not in page, "a mark of the template is left"
    assert "NaN" not in page.replace("isNaN", "").replace(": NaN;", "")


def test_the_page_has_a_part_for_every_results_file(folder: Path) -> None:
    page = report.page(folder)
    for name in registry.every():
        assert f'<h2 id="{name}">' in page
        assert f'href="#{name}"' in page
    drawn = (
        "PSNR over rate", "Roofline", "Every sample", "Quality over time", "mnist-vae: codes",
        "mean of 2 pictures of chest-xray/test", "Beyond the still denoiser", "Beyond the picture",
        "Median time of the way in",
    )  # fmt: skip
    for words in (*drawn, "a note: x &lt; y", "no such device", "cut", "31.0 a second hold 50 ms"):
        assert words in page


@pytest.mark.parametrize(
    ("load", "words"),
    [
        ({"streams": 4, "batch": 2}, "4 streams"),
        (sample_results.SERVER | {"rate_per_s": None}, "no rate holds 50 ms"),
        ({"fps": 30, "frames": 90, "dropped": 3, "age_ms": {"p50": 41.0}}, "3 of 90 dropped, age"),
        ({"fps": 30, "frames": 9, "dropped": 0, "age_ms": {"p50": None}}, "0 of 9 dropped<"),
    ],
)
def test_every_scenario_says_what_it_found(
    load: dict[str, Any], words: str, tmp_path: Path
) -> None:
    found = sample_results.latency()
    found["rows"][0]["load"] = load
    sample_results.put(tmp_path, "latency", found)
    assert words in report.page(tmp_path)


def test_a_sweep_may_know_little(tmp_path: Path) -> None:
    found = sample_results.latency()
    for row in found["rows"]:
        row |= {"samples_ms": [5.0], "latency_ms": {"p50": None}, "error": None, "profile": None}
        row |= {"split_ms": None, "memory_mb": None, "cold_start_ms": None, "load": {}}
    sample_results.put(tmp_path, "latency", found | {"harness": None, "loadgen": None})
    page = report.page(tmp_path)
    assert "n/a (needs 11)" in page
    assert "Roofline" not in page
    assert "Quality over time" not in page


def test_what_has_no_results_is_said_to_be_absent(tmp_path: Path) -> None:
    sample_results.put(tmp_path, "denoise")
    page = report.page(tmp_path)
    absent = set(re.findall(r"No <code>(\w+)\.json</code>", page))
    assert absent == set(registry.every()) - {"denoise"}
    assert "No crops beside these results" in page
    with pytest.raises(ValueError, match=r"codec\.json"):
        report.page(tmp_path / "nothing")


def test_what_an_adapted_codec_gains_and_loses(tmp_path: Path) -> None:
    sample_results.put(tmp_path, "adapt")
    page = report.page(tmp_path)
    assert "on its kind</dt><dd>−30.0 %" in page
    assert "elsewhere</dt><dd>+20.0 %" in page
    assert "<td>Venturi, general</td><td>−30.0 %</td><td>+20.0 %</td>" in page
    assert "Venturi, adapted: 0.4 bits per pixel, 33.00" in page


def test_what_a_stream_gains_over_the_still_denoiser(tmp_path: Path) -> None:
    found = sample_results.video()
    found["pans_psnr_db"] = {"0": {"noisy": 20.0, "still": 30.0, "alone": 29.0, "stream": 32.0}}
    found["cut_psnr_db"] = {"noisy": 20.0, "still": 30.0, "alone": 29.0, "stream": 29.5}
    sample_results.put(tmp_path, "video", found)
    page = report.page(tmp_path)
    assert "stream: 0 pixels per frame, 2.00" in page
    assert "the frame after a cut</dt><dd>−0.50 dB" in page
    cells = ("pan 0 px", "20.00", "30.00", "29.00", "32.00", "+2.00")
    assert "".join(f"<td>{cell}</td>" for cell in cells) in page


def test_a_video_part_without_pans_or_cuts(tmp_path: Path) -> None:
    found = sample_results.video() | {"pans_psnr_db": {}, "cut_psnr_db": {}}
    sample_results.put(tmp_path, "video", found)
    page = report.page(tmp_path)
    assert "over the speed of a pan" not in page
    assert "beyond the still denoiser, clip</dt><dd>+1.10 dB" in page


@pytest.mark.parametrize(("kept", "word"), [(True, "kept"), (False, "exceeded")])
def test_whether_the_memory_limit_is_kept(kept: bool, word: str, tmp_path: Path) -> None:
    sample_results.put(tmp_path, "memory", sample_results.memory() | {"within_limit": kept})
    page = report.page(tmp_path)
    assert f"limit of 1500 MB</dt><dd>{word}</dd>" in page
    assert "limit: 1500" in page
    assert "compress, 81 megapixels: 600 MB" in page
    assert "In windows and in one piece: the same bytes" in page


def test_the_ways_of_a_frame_stand_side_by_side(tmp_path: Path) -> None:
    found = sample_results.frame()
    found["sizes"]["1280x720"] = found["sizes"]["640x480"]
    sample_results.put(tmp_path, "frame", found)
    page = report.page(tmp_path)
    for size in ("640×480", "1280×720"):
        assert f"NumPy, {size}: 1.5 ms" in page
        assert f"<td>NumPy</td><td>way in</td><td>{size}</td><td>20</td><td>1.50</td>" in page
        assert f"25.0 % at {size}" in page


def test_a_bar_is_as_long_as_its_value() -> None:
    drawn = charts.bars({"a": {"x": 50.0}, "b": {"x": 100.0, "y": 0.0}}, title="t", unit="MB")
    ends = [float(end) for end in re.findall(r"M58 [\d.]+H([\d.]+)v", drawn)]
    assert ends[0] - 58 == pytest.approx((ends[1] - 58) / 2, abs=0.1)
    assert ends[2] - 58 == pytest.approx(0, abs=1)
    assert "limit" not in drawn
    limited = charts.bars({"a": {"x": 50.0}}, title="t", unit="MB", limit=("limit", 80.0))
    (bar,), (line,) = (
        re.findall(pattern, limited)
        for pattern in (r"H([\d.]+)v", r'd="M([\d.]+) [^"]+" style="stroke')
    )
    assert float(line) - 58 == pytest.approx((float(bar) - 58) * 1.6, abs=0.2)


def test_the_roofline_lies_under_its_peak() -> None:
    drawn = charts.roofline({"a": (10.0, 100.0)}, {"cpu": 200.0}, title="t")
    (dot,) = re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', drawn)
    (peak,) = re.findall(r'd="M[\d.]+ ([\d.]+)H\d+" style="stroke:var\(--soft', drawn)
    assert float(dot) > float(peak), "y grows downwards"


def test_every_sample_is_in_the_distribution() -> None:
    drawn = charts.distributions({"a": [1.0, 1.0, 8.0]}, {"a": {"p50": 1.0}}, title="t")
    assert "3 samples, 1 to 8 ms" in drawn
    bars = re.findall(r"v-([\d.]+)h", drawn)
    assert [float(bar) for bar in bars] == [24.0, 14.0]


def test_a_minus_is_a_minus() -> None:
    rows = [["a"], ["-1.5 %"], ["single-stream"]]
    part = report.Part("n", "t", "c", [Table("c", rows)])
    page = templating.render("report.html", title="t", parts=[part])
    assert "<td>−1.5 %</td>" in page
    assert "single-stream" in page


def opened(web_page: browser.Page, folder: Path, width: int, *, dark: bool = False) -> browser.Page:
    web_page.open(folder / "report.html", width=width, height=HEIGHT, dark=dark)
    return web_page


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_it_fits_without_an_error(web_page: browser.Page, folder: Path, width: int) -> None:
    page = opened(web_page, folder, width)
    assert page.run("innerWidth") == width
    assert page.run("document.documentElement.scrollWidth") <= width
    wide = page.run(
        "[...document.querySelectorAll('main *')].filter(e => !e.closest('.wide, svg, .stage')"
        f" && e.getBoundingClientRect().right > {width} + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert wide == []
    page.run("for (const d of document.querySelectorAll('details')) d.open = true")
    assert page.run("document.documentElement.scrollWidth") <= width
    broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
    assert page.run(f"document.images.length > 10 && {broken} === 0")
    assert page.errors == []


def test_the_test_sees_errors(web_page: browser.Page, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text("<script>console.error('one'); throw Error('two')</script>", encoding="utf-8")
    web_page.open(path, width=PHONE, height=HEIGHT)
    assert len(web_page.errors) == 2
    with pytest.raises(AssertionError, match="three"):
        web_page.run("throw Error('three')")


def column(page: browser.Page, number: int) -> list[str]:
    """Return a column of the table of codecs."""
    found: list[str] = page.run(
        "[...document.querySelector('main table').tBodies[0].rows]"
        f".map(row => row.cells[{number}].innerText)"
    )
    return found


def sorted_by(page: browser.Page, number: int) -> str:
    """Click on a heading of that table, and return how it says to be sorted."""
    place = page.run(
        f"(() => {{ const b = document.querySelectorAll('main table th button')[{number}];"
        "b.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});"
        "const r = b.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()"
    )
    page.click(*place)
    return str(page.run(f"document.querySelectorAll('main table th')[{number}].ariaSort"))


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_tables_sort(web_page: browser.Page, folder: Path, width: int) -> None:
    page = opened(web_page, folder, width)
    before = column(page, 1)
    assert before == ["", "−33.3 %", "−16.7 %"]
    assert sorted_by(page, 0) == "ascending"
    assert column(page, 0) == ["JPEG, optimised", "Venturi", "WebP"]
    assert sorted_by(page, 1) == "ascending"
    assert column(page, 1) == ["−33.3 %", "−16.7 %", ""], "numbers as numbers, nothing last"
    assert sorted_by(page, 1) == "descending"
    assert column(page, 1) == ["−16.7 %", "−33.3 %", ""]
    assert page.run("document.querySelectorAll('main table th[aria-sort]').length >= 1")
    page.run("document.querySelectorAll('main table th button')[0].focus()")
    page.press("Enter")
    assert column(page, 0) == ["JPEG, optimised", "Venturi", "WebP"]


def slider(page: browser.Page) -> dict[str, Any]:
    """Return where the first slider stands and what it shows."""
    found: dict[str, Any] = page.run(
        "(() => { const f = document.querySelector('.compare'), s = f.querySelector('.stage');"
        "const web_page = kind => s.querySelector(`img.${kind}`);"
        "return {value: Number(f.querySelector('input').value),"
        "line: s.querySelector('.line').getBoundingClientRect().x - s.getBoundingClientRect().x,"
        "width: s.getBoundingClientRect().width, clip: getComputedStyle(web_page('over')).clipPath,"
        "left: web_page('under').dataset.name, right: web_page('over').dataset.name,"
        "said: f.querySelector('input').ariaValueText ||"
        " f.querySelector('input').getAttribute('aria-valuetext')} })()"
    )
    return found


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_slider_moves(web_page: browser.Page, folder: Path, width: int) -> None:
    page = opened(web_page, folder, width)
    at_first = slider(page)
    assert (at_first["value"], at_first["left"], at_first["right"]) == (50, "JPEG", "Venturi")
    page.run("document.querySelector('.compare input').focus({preventScroll: true})")
    for _ in range(3):
        page.press("ArrowRight")
    by_keys = slider(page)
    assert by_keys["value"] == 53
    assert by_keys["line"] > at_first["line"]
    assert by_keys["clip"] == "inset(0px 0px 0px 53%)"
    assert by_keys["said"] == "JPEG to 53 %, then Venturi"
    place = page.run(
        "(() => { const s = document.querySelector('.compare .stage');"
        "s.scrollIntoView({block: 'center', behavior: 'instant'});"
        "const r = s.getBoundingClientRect(); return [r.x + r.width / 5, r.y + r.height / 2] })()"
    )
    page.click(*place)
    by_mouse = slider(page)
    assert by_mouse["value"] == 20
    assert by_mouse["line"] == pytest.approx(by_mouse["width"] / 5, abs=3)


def test_other_pictures_can_be_chosen(web_page: browser.Page, folder: Path) -> None:
    page = opened(web_page, folder, DESK)
    page.run(
        "(() => { const s = document.querySelector('.compare select'); s.value = 'original';"
        "s.dispatchEvent(new Event('input', {bubbles: true})) })()"
    )
    assert slider(page)["left"] == "original"
    assert page.run(
        "[...document.querySelectorAll('.compare')].every(f => [...f.querySelectorAll('img')]"
        ".filter(i => getComputedStyle(i).display !== 'none').length === 2)"
    )


def test_dark_and_light(web_page: browser.Page, folder: Path) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    light = opened(web_page, folder, DESK).run(paper)
    dark = opened(web_page, folder, DESK, dark=True).run(paper)
    assert light != dark
    web_page.run("document.getElementById('theme').click()")
    assert web_page.run(paper) == light
    assert web_page.run("getComputedStyle(document.querySelector('svg.plot .paper')).fill") == (
        web_page.run("getComputedStyle(document.querySelector('.card')).backgroundColor")
    )
