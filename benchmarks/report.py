"""One self-contained HTML page of the results: curves, tables that sort, crops with a slider."""

import base64
import html
from pathlib import Path

import cv2
import numpy as np

from benchmarks import codec, denoise, pictures, results
from benchmarks.pictures import Picture

STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:68rem;margin:auto;padding:1rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.25rem .7rem;text-align:right;border-bottom:1px solid #8884;white-space:nowrap}
td:first-child,th:first-child{text-align:left}th button{all:unset;cursor:pointer;font-weight:600}
th button:focus-visible{outline:2px solid}th[aria-sort=ascending] button::after{content:" ▲"}
th[aria-sort=descending] button::after{content:" ▼"}
.curves,.crops{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:1rem}
svg{width:100%;height:auto}.pair{position:relative;display:block;max-width:24rem}
.pair img{display:block;width:100%;image-rendering:pixelated}
.pair img+img{position:absolute;inset:0;clip-path:inset(0 0 0 50%)}
figure{margin:0}input[type=range]{width:100%;max-width:24rem}
"""

SCRIPT = """
for (const button of document.querySelectorAll('th button')) button.onclick = () => {
  const head = button.parentElement, body = head.closest('table').tBodies[0]
  const down = head.ariaSort === 'ascending', column = head.cellIndex
  for (const other of head.parentElement.cells) other.removeAttribute('aria-sort')
  head.ariaSort = down ? 'descending' : 'ascending'
  const value = row => row.cells[column].textContent.trim()
  const compare = (a, b) => {
    const x = parseFloat(a), y = parseFloat(b)
    return isNaN(x) || isNaN(y) ? a.localeCompare(b) : x - y
  }
  const rows = [...body.rows].sort((a, b) => compare(value(a), value(b)))
  body.append(...(down ? rows.reverse() : rows))
}
for (const slider of document.querySelectorAll('input[type=range]')) slider.oninput = () => {
  const top = slider.parentElement.querySelector('img + img')
  top.style.clipPath = `inset(0 0 0 ${slider.value}%)`
}
"""


def page(folder: Path = results.FOLDER) -> str:
    """Return the page made from the results files of a folder.

    Raises ValueError when there are none.
    """
    paths = {name: folder / f"{name}.json" for name in ("codec", "denoise")}
    sections = {"codec": _codec, "denoise": _denoise}
    parts = [
        sections[name](results.read(path), folder) for name, path in paths.items() if path.exists()
    ]
    if not parts:
        raise ValueError(f"{folder} has no codec.json and no denoise.json: measure first")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Venturi: results</title><style>{STYLE}</style><h1>Venturi: results</h1>"
        f"{''.join(parts)}<script>{SCRIPT}</script></html>\n"
    )


def _codec(found: results.Results, folder: Path) -> str:
    del folder
    curves = "".join(f"<div>{codec.curves(found, key)}</div>" for key in ("psnr_db", "msssim"))
    return (
        f'<h2>Compression</h2>{_machine(found)}<div class="curves">{curves}</div>'
        f"{_table(codec.summary_rows(found))}"
        f"<details><summary>All points</summary>{_table(codec.point_rows(found))}</details>"
    )


def _denoise(found: results.Results, folder: Path) -> str:
    figures = "".join(_figure(path, found) for path in sorted((folder / found["crops"]).rglob("*")))
    return (
        f"<h2>Denoising</h2>{_machine(found)}{_table(denoise.quality_rows(found))}"
        f"<h3>Time</h3>{_table(denoise.latency_rows(found))}"
        f"<h3>Crops: noisy to the left of the slider, Venturi to the right</h3>"
        f'<div class="crops">{figures}</div>'
    )


def _machine(found: results.Results) -> str:
    machine = found["environment"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    notes = "".join(f"<li>{html.escape(note)}" for note in found["notes"])
    line = f"{machine['cpu']}, {machine['threads']} threads, {machine['system']}; {versions}"
    return f"<p>{html.escape(line)}</p><ul>{notes}</ul>"


def _table(rows: list[list[str]]) -> str:
    head = "".join(f"<th><button>{html.escape(cell)}</button></th>" for cell in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows[1:]
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _figure(path: Path, found: results.Results) -> str:
    """Return noisy and clean of one row of crops, one over the other under a slider."""
    if path.suffix != ".png":
        return ""
    names = ["original", *found["labels"]]
    row = pictures.read(path)
    if path.parent.name == "clean":
        names = ["original", denoise.OURS]
    crops = pictures.apart(row, len(names))
    left = crops[names.index(denoise.NOISY) if denoise.NOISY in names else 0]
    right = crops[names.index(denoise.OURS)]
    label = f"{path.parent.name}, {path.stem}"
    return (
        f'<figure><span class="pair">{_image(left, label + ": input")}'
        f"{_image(right, label + ': Venturi')}</span>"
        f'<input type="range" value="50" aria-label="{html.escape(label)}">'
        f"<figcaption>{html.escape(label)}</figcaption></figure>"
    )


def _image(image: Picture, label: str) -> str:
    """Return an img element; the crops show each pixel as 2x2, so every second one is enough."""
    small = np.ascontiguousarray(image[::2, ::2])
    done, data = cv2.imencode(".png", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    assert done
    text = base64.b64encode(data.tobytes()).decode()
    return f'<img alt="{html.escape(label)}" src="data:image/png;base64,{text}">'
