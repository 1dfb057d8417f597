"""The site builds without a warning, offline, and fits on a telephone."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import venturi
from tests import browser

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Build the site as `make docs` does."""
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    folders = ["-d", str(target / "doctrees"), str(source), str(target / "html")]
    return subprocess.run([*command, *folders], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    done = build(DOCS, target)
    assert done.returncode == 0, done.stderr
    return target / "html"


def test_every_page_is_built(site: Path) -> None:
    for page in DOCS.glob("*.md"):
        assert (site / f"{page.stem}.html").stat().st_size > 2_000, page.name


def test_the_reference_has_every_public_name(site: Path) -> None:
    reference = (site / "api.html").read_text(encoding="utf-8")
    described = set(re.findall(r'<dt [^>]*id="(venturi[\w.]*)"', reference))
    public = {name for name in venturi.__all__ if name != "__version__"}
    named = {place.rpartition(".")[2] for place in described}
    assert public - named == set()
    assert {"compress", "denoise", "read", "fingerprint"} <= named


def test_links_out_of_the_site_go_to_the_repository(site: Path) -> None:
    index = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="security.html"' in index
    assert 'href="format.html"' in index
    benchmarks = (site / "benchmarks.html").read_text(encoding="utf-8")
    assert "/blob/main/benchmarks/results/SCHEMA.md" in benchmarks


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loads = re.compile(r'<(?:script|img|iframe)[^>]+src="(https?:)?//|<link[^>]+href="https?://')
    pages = {page.name: page.read_text(encoding="utf-8") for page in site.glob("*.html")}
    assert [name for name, text in pages.items() if loads.search(text)] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"url\([\"']?https?://|@import [\"']?https?://", styles)


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    for name in ("conf.py", "_static"):
        (source / name).symlink_to(DOCS / name)
    (source / "index.md").write_text("# Page\n\n[words](nowhere.md)\n", encoding="utf-8")
    done = build(source, tmp_path / "built")
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["index", "python", "benchmarks", "api", "format"])
def test_pages_fit(web_page: browser.Page, site: Path, name: str, width: int) -> None:
    web_page.open(site / f"{name}.html", width=width, height=900)
    wider = web_page.run("document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0
    assert web_page.errors == []
