"""The figures in the documents: all from the results files, and those from what was measured."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import codec, readme, results
from benchmarks.bd_rate import bd_rate_percent
from benchmarks.metrics import decibels
from tests import sample_results
from venturi import Manifest
from venturi._bundle.load import locate

NUMBER = re.compile(r"\d+\.\d+")
ABOUT_DESIGN = {"5 %"}  # what AUTOENCODERS.md says of the steps that export looks for


def committed(name: str) -> results.Results:
    return results.read(results.FOLDER / f"{name}.json")


def test_the_documents_hold_what_the_results_say() -> None:
    assert (results.FOLDER / "codec.json").exists()
    assert (results.FOLDER / "denoise.json").exists()
    assert readme.stale() == {}, "run python -m benchmarks readme"


def test_one_changed_digit_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = readme.README.read_text(encoding="utf-8")
    block = readme.block()
    page = tmp_path / "README.md"
    monkeypatch.setattr(readme, "PAGES", {page: readme.PAGES[readme.README]})
    places = [found.start() for found in re.finditer(r"\d", block)]
    assert len(places) > 100
    start = text.index(block)
    for place in places:
        other = str((int(block[place]) + 1) % 10)
        page.write_text(text[: start + place] + other + text[start + place + 1 :], encoding="utf-8")
        assert page in readme.stale(), f"{block[place - 20 : place + 20]!r}"


def test_a_page_without_results_may_hold_no_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    page.write_text(f"{readme.BEGIN}\n1.5 dB\n{readme.END}\n", encoding="utf-8")
    other.write_text(f"{readme.BEGIN}\n{readme.END}\n", encoding="utf-8")
    sections = readme.PAGES[readme.AUTOENCODERS]
    codecs = readme.PAGES[readme.README]
    results.write(tmp_path / "codec.json", sample_results.codec())
    monkeypatch.setattr(readme, "PAGES", {page: sections, other: codecs})
    assert readme.stale(tmp_path)[page] == f"{readme.BEGIN}\n{readme.END}\n"


def scaled(value: Any) -> Any:
    """Return results with every measured number another one."""
    if isinstance(value, dict):
        return {key: scaled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [scaled(item) for item in value]
    return value * 1.37 + 0.11 if isinstance(value, float) else value


@pytest.mark.parametrize("page", [readme.README, readme.AUTOENCODERS], ids=lambda page: page.name)
def test_no_figure_stands_in_the_code(page: Path, tmp_path: Path) -> None:
    """When every number of the results is another, every figure of the block is another."""
    blocks = []
    for folder, change in ((tmp_path / "a", copy.deepcopy), (tmp_path / "b", scaled)):
        for name in readme.PAGES[page]:
            made = sample_results.ALL[name.removesuffix(".json")]()
            results.write(folder / name, change(made))
        blocks.append(NUMBER.findall(readme.block(folder, readme.PAGES[page])))
    old, new = blocks
    assert len(old) == len(new) > 10
    same = [(number, a) for number, (a, b) in enumerate(zip(old, new, strict=True)) if a == b]
    assert same == []


def test_no_count_stands_in_the_code(tmp_path: Path) -> None:
    """The counts of the table of faults, which are no measurements, come from its file too."""
    sections = readme.PAGES[readme.SECURITY]
    made = sample_results.robustness()
    made["rows"][1] |= {"tried": 123_456, "lost": 7_890}
    results.write(tmp_path / "robustness.json", made)
    found = readme.block(tmp_path, sections)
    assert "| 123,456 | 7,890 |" in found
    assert "| 900 | 0 |" in found


def test_nothing_measured_is_typed_in_the_prose() -> None:
    assert readme.typed(readme.README.read_text(encoding="utf-8")) == []
    found = readme.typed(readme.AUTOENCODERS.read_text(encoding="utf-8"))
    assert set(found) <= ABOUT_DESIGN


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
    marks = f"{readme.BEGIN}\n99 ms\n{readme.END}\n"
    assert readme.typed(f"{words}\n{marks}") == found
    assert readme.typed(f"{marks}{words}\n") == found


def curve(found: results.Results, name: str, key: str) -> list[tuple[float, float]]:
    return [
        (point["bpp"], point[key] if key == "psnr_db" else decibels(point[key]))
        for point in found["points"][name]
    ]


@pytest.mark.parametrize(
    ("rates", "key"), [("bd_rate_percent", "psnr_db"), ("bd_rate_msssim_percent", "msssim")]
)
def test_the_rates_follow_from_the_points(rates: str, key: str) -> None:
    found = committed("codec")
    assert set(found[rates]) == set(found["points"]) - {codec.OURS}
    for name, value in found[rates].items():
        curves = curve(found, name, key), curve(found, codec.OURS, key)
        assert bd_rate_percent(*curves, rates=codec.RATES) == pytest.approx(value, abs=2e-3), name


def test_the_shares_follow_from_the_parts() -> None:
    found = committed("codec")
    shares = [(p, found["share_outside_graphs"][call]) for call, p in found["parts_ms"].items()]
    sizes = committed("denoise")["latency"].values()
    shares += [(size["parts_ms"], size["share_outside_graphs"]) for size in sizes]
    assert len(shares) == 4
    for parts, share in shares:
        outside = (parts["conversion"] + parts.get("coding", 0.0)) / parts["total"]
        assert outside == pytest.approx(share, abs=1e-4)


def test_the_curves_are_drawn_from_the_points() -> None:
    found = committed("codec")
    for key, name in (("psnr_db", "codec.svg"), ("msssim", "codec-msssim.svg")):
        drawn = (results.FOLDER / name).read_text(encoding="utf-8")
        assert drawn == codec.curves(found, key), "run python -m benchmarks readme"


@pytest.mark.parametrize("name", ["codec", "denoise"])
def test_what_was_measured_is_what_ships(name: str) -> None:
    """Its decoder at least: that is what a fingerprint is of."""
    bundle = committed(name)["bundle"]
    shipped = Manifest.load(locate(bundle["name"]))
    assert bundle["fingerprint"] == shipped.fingerprint.hex(), f"python -m benchmarks {name}"


def test_figures_are_linked_where_they_are(tmp_path: Path) -> None:
    sample_results.write(tmp_path)
    block = readme.block(tmp_path, readme.PAGES[readme.AUTOENCODERS])
    (link,) = re.findall(r"!\[mnist-vae: codes[^\]]*\]\(([^)]+)\)", block)
    assert Path(link) == tmp_path / "mnist-figures" / "mnist" / "mnist-vae-map.svg"
    pages = [page.read_text(encoding="utf-8") for page in readme.PAGES]
    links = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", "".join(pages))
    assert all((readme.README.parent / link).exists() for link in links)
