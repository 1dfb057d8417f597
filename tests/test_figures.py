"""The figures in the documents: all from the results files, and those from what was measured."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import documents, rate_distortion, registry, results
from benchmarks.bd_rate import bd_rate_percent
from benchmarks.metrics import decibels
from benchmarks.suite import codec
from tests import sample_results
from venturi import Manifest
from venturi._bundle.load import locate

NUMBER = re.compile(r"\d+\.\d+")
ABOUT_DESIGN = {"5 %", "85 %", "15 %"}
"""What is chosen and not measured: the steps of a code, and the parts of the photo codec's loss."""


def committed(name: str) -> Any:
    return registry.read(results.FOLDER / f"{name}.json")


def marked(name: str, content: str = "") -> str:
    return f"{documents.begin(name)}\n{content}{documents.END}\n"


def test_the_documents_hold_what_the_results_say() -> None:
    assert (results.FOLDER / "codec.json").exists()
    assert (results.FOLDER / "denoise.json").exists()
    assert documents.stale() == {}, "run python -m benchmarks readme"


def test_every_table_stands_somewhere() -> None:
    assert [name for name in documents.sections() if not documents.holding(name)] == []


@pytest.mark.parametrize("name", ["codec", "denoise", "video", "adapt"])
def test_one_changed_digit_is_noticed(name: str, tmp_path: Path) -> None:
    block = documents.block(name)
    page = tmp_path / "README.md"
    places = [found.start() for found in re.finditer(r"\d", block)]
    assert len(places) > 25
    for place in places:
        other = str((int(block[place]) + 1) % 10)
        changed = block[:place] + other + block[place + 1 :]
        page.write_text(f"text\n{marked(name, changed)}text\n", encoding="utf-8")
        fresh = documents.stale(root=tmp_path)[page]
        assert fresh == f"text\n{marked(name, block)}text\n", f"{block[place - 20 : place + 20]!r}"


def test_blocks_may_be_moved(tmp_path: Path) -> None:
    """Those in docs/ are found as well, with links from there."""
    sample_results.write(tmp_path / "benchmarks" / "results")
    page = tmp_path / "docs" / "deep" / "page.md"
    page.parent.mkdir(parents=True)
    page.write_text(marked("mnist"), encoding="utf-8")
    (tmp_path / "docs" / "other.md").write_text("no marks", encoding="utf-8")
    assert documents.pages(tmp_path) == [page]
    fresh = documents.stale(tmp_path / "benchmarks" / "results", tmp_path)[page]
    links = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", fresh)
    assert links
    assert all((page.parent / link).exists() for link in links)


def test_a_page_without_results_may_hold_no_figures(tmp_path: Path) -> None:
    page, other = tmp_path / "README.md", tmp_path / "SECURITY.md"
    page.write_text(marked("mnist", "1.5 dB\n"), encoding="utf-8")
    other.write_text(marked("codec"), encoding="utf-8")
    sample_results.put(tmp_path, "codec")
    stale = documents.stale(tmp_path, tmp_path)
    assert stale[page] == marked("mnist")
    assert "| codec |" in stale[other]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (documents.begin("codec"), "has the marks begin; expected begin and end in turn"),
        (f"{documents.END}\n{documents.begin('codec')}\n", "has the marks end begin"),
        (marked("speed"), "names speed; expected one of codec"),
        (f"<!-- results:begin -->\n{documents.END}\n", "names no benchmark"),
    ],
)
def test_marks_that_are_wrong_are_named(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        documents.stale(root=tmp_path)


def scaled(value: Any) -> Any:
    """Return results with every measured number another one."""
    if isinstance(value, dict):
        return {key: scaled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [scaled(item) for item in value]
    return value * 1.37 + 0.11 if isinstance(value, float) else value


@pytest.mark.parametrize("name", [name for name in documents.sections() if name != "robustness"])
def test_no_figure_stands_in_the_code(name: str, tmp_path: Path) -> None:
    """When every number of the results is another, every figure of the block is another."""
    blocks = []
    for folder, change in ((tmp_path / "a", copy.deepcopy), (tmp_path / "b", scaled)):
        sample_results.put(folder, name, change(sample_results.ALL[name]()))
        blocks.append(NUMBER.findall(documents.block(name, folder)))
    old, new = blocks
    assert len(old) == len(new) >= 3
    same = [(number, a) for number, (a, b) in enumerate(zip(old, new, strict=True)) if a == b]
    assert same == []


def test_no_count_stands_in_the_code(tmp_path: Path) -> None:
    """The counts of the table of faults, which are no measurements, come from its file too."""
    made = sample_results.robustness()
    made["rows"][1] |= {"tried": 123_456, "lost": 7_890}
    sample_results.put(tmp_path, "robustness", made)
    block = documents.block("robustness", tmp_path)
    assert "| 123,456 | 7,890 |" in block
    assert "| 900 | 0 |" in block


@pytest.mark.parametrize("page", documents.pages(), ids=lambda page: page.name)
def test_nothing_measured_is_typed_in_the_prose(page: Path) -> None:
    assert set(documents.typed(page.read_text(encoding="utf-8"))) <= ABOUT_DESIGN


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("takes 12.5 ms on a phone", ["12.5 ms"]),
        ("a third smaller, −33 %", ["33 %"]),
        ("ahead by 0.4 dB at 0.5 bpp", ["0.4 dB", "0.5 bpp"]),
        ("runs at 30fps", ["30fps"]),
        ("`--fps 30fps` and 25 bytes", []),
        ("```\n12 ms\n```", []),
    ],
)
def test_typed_figures_are_found(words: str, found: list[str]) -> None:
    marks = marked("codec", "99 ms\n")
    assert documents.typed(f"{words}\n{marks}") == found
    assert documents.typed(f"{marks}{words}\n") == found


@pytest.mark.parametrize(
    ("rates", "key"), [("bd_rate_percent", "psnr_db"), ("bd_rate_msssim_percent", "msssim")]
)
def test_the_rates_follow_from_the_points(rates: str, key: str) -> None:
    result = committed("codec")
    percents = getattr(result, rates)
    assert set(percents) == set(result.points) - {codec.OURS}
    for name, value in percents.items():
        curves = [
            [(p.bpp, p.psnr_db if key == "psnr_db" else decibels(p.msssim)) for p in points]
            for points in (result.points[name], result.points[codec.OURS])
        ]
        rate = bd_rate_percent(*curves, rates=rate_distortion.RATES)
        assert rate == pytest.approx(value, abs=2e-3), name


def test_the_shares_follow_from_the_parts() -> None:
    result = committed("codec")
    shares = [(p, result.share_outside_graphs[call]) for call, p in result.parts_ms.items()]
    sizes = committed("denoise").latency.values()
    shares += [(size.parts_ms, size.share_outside_graphs) for size in sizes]
    assert len(shares) == 4
    for parts, share in shares:
        outside = (parts["conversion"] + parts.get("coding", 0.0)) / parts["total"]
        assert outside == pytest.approx(share, abs=1e-4)


def test_the_curves_are_drawn_from_the_points() -> None:
    for key, name in (("psnr_db", "codec.svg"), ("msssim", "codec-msssim.svg")):
        drawn = (results.FOLDER / name).read_text(encoding="utf-8")
        assert drawn == codec.curves(committed("codec"), key), "run python -m benchmarks readme"


@pytest.mark.parametrize("name", ["codec", "denoise"])
def test_what_was_measured_is_what_ships(name: str) -> None:
    """Its decoder at least: that is what a fingerprint is of."""
    bundle = committed(name).bundle
    shipped = Manifest.load(locate(bundle.name))
    assert bundle.fingerprint == shipped.fingerprint.hex(), f"python -m benchmarks {name}"


def test_figures_are_linked_where_they_are(tmp_path: Path) -> None:
    sample_results.write(tmp_path)
    block = documents.block("mnist", tmp_path, tmp_path)
    (link,) = re.findall(r"!\[mnist-vae: codes[^\]]*\]\(([^)]+)\)", block)
    assert Path(link) == Path("mnist-figures") / "mnist" / "mnist-vae-map.svg"
    for page in documents.pages():
        links = re.findall(r"!\[[^\]]*\]\((?!http)([^)]+)\)", page.read_text(encoding="utf-8"))
        assert [link for link in links if not (page.parent / link).exists()] == []
