"""Format results as text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from venturi.bench.percentiles import readable, shown
from venturi.bench.scenarios import CAMERA, SERVER

Row = Mapping[str, Any]

PERCENTS = (50, 90, 99)
OPERATORS = 8
_POINT = ("call", "size", "threads", "device", "precision")


def report(results: Mapping[str, Any]) -> str:
    """Return all of the results: one table of the runs, then where the time goes."""
    blocks = [_head(results), table([_HEADINGS, *map(_cells, results["rows"])])]
    blocks += ["\n".join(_details(row)) for row in _points(results["rows"])]
    blocks += [f"note: {note}" for note in results["notes"]]
    return "\n\n".join(blocks)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned text; the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        first = row[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([first, *rest]).rstrip())
    return "\n".join(lines)


_HEADINGS = (
    "call", "size", "threads", "device", "precision", "scenario", "median ms",
    *(f"p{percent}" for percent in PERCENTS), "pictures/s", "MP/s", "verdict",
)  # fmt: skip


def _cells(row: Row) -> list[str]:
    latency, rate = row["latency_ms"] or {}, row["throughput"] or {}
    return [
        *(str(row[name]) for name in _POINT),
        row["scenario"],
        _number(latency.get("median")),
        *(shown(latency.get(f"p{percent}"), percent) for percent in PERCENTS),
        _number(rate.get("pictures_per_s")),
        _number(rate.get("megapixels_per_s")),
        row["stability"]["verdict"],
    ]


def _head(results: Mapping[str, Any]) -> str:
    subject, machine = results["subject"], results["machine"]
    settings = "".join(f", {name} {value:g}" for name, value in subject["settings"].items())
    versions = machine["versions"]
    runtime = ", ".join(f"{p} {versions[p]}" for p in versions if p.startswith("onnxruntime"))
    quota = machine["cgroup_quota_cpus"]
    return "\n".join(
        (
            f"{subject['kind']} {subject['name']}, fingerprint {subject['fingerprint']}{settings}",
            f"{machine['cpu']}, {machine['cpus_usable']} processors"
            + ("" if quota is None else f" (limit {quota:g})")
            + f", governor {machine['governor'] or 'unknown'}, load {machine['load_average'][0]}, "
            + (runtime or "onnxruntime of unknown version"),
            f"input: {results['inputs']['source']}, {results['inputs']['note']}",
        )
    )


def _points(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield one row of each point; the scenarios of a point share what follows."""
    yielded = set()
    for row in rows:
        point = tuple(row[name] for name in _POINT)
        if point not in yielded:
            yielded.add(point)
            yield row
        if row["scenario"] in (SERVER, CAMERA):
            yield {**row, "only": row["scenario"]}


def _details(row: Row) -> Iterator[str]:
    title = " ".join(str(row[name]) for name in _POINT)
    if "only" in row:
        yield f"{title}, {row['only']}: {_load(row)}"
        return
    yield title
    parts = [f"{name} {readable(ms)}" for name, ms in row["split_ms"].items() if name != "total"]
    yield f"  time      {' + '.join(parts)} = {readable(row['split_ms']['total'])} ms"
    cold = row["cold_start_ms"]
    yield (
        f"  cold      import {cold['import']:.0f} + session {cold['session']:.0f} + "
        f"first run {cold['first_run']:.0f} ms, peak memory {_number(row['memory_mb'])} MB"
    )
    if row["error"] is not None:
        yield f"  lost      {_error(row['error'])}"
    ran = (f"{g} {_counts(counts)}" for g, counts in row["providers"].items())
    yield f"  nodes     {'; '.join(ran)}"
    if row["profile"] is not None:
        yield f"  roofline  {_roofline(row['profile']['roofline'])}"
        yield from _operators(row["profile"]["operators"])


def _load(row: Row) -> str:
    load = row["load"]
    if row["scenario"] == SERVER:
        rate = load["rate_per_s"]
        held = "no rate" if rate is None else f"{rate:.2f} pictures a second"
        return f"{held}, p{load['percentile']} within {load['bound_ms']:.1f} ms"
    age = load["age_ms"] or {}
    return (
        f"{load['dropped']} of {load['frames']} frames dropped at {load['fps']:g} a second, "
        f"age of the frame {_number(age.get('median'))} ms, p90 {shown(age.get('p90'), 90)}"
    )


def _error(error: Mapping[str, Any]) -> str:
    psnr_db = error["psnr_db"]
    text = "nothing" if psnr_db is None else f"PSNR {psnr_db:.2f} dB"
    if "noisy_psnr_db" in error:
        text += f" (noisy {error['noisy_psnr_db']:.2f} dB)"
    if "rate_bpp" in error:
        text += f" at {error['rate_bpp']:.3f} bpp"
    return text + f", at most {255 * error['max_abs']:.0f} of 255 levels"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} on {name}" for name, count in counts.items())


def _roofline(roofline: Mapping[str, Any]) -> str:
    text = f"{readable(roofline['kmac_per_pixel'])} kMAC/px at {roofline['gmac_per_s']:.0f} GMAC/s"
    products = f"matrix products in {roofline['peak_kind']}"
    if roofline["fraction"] is None:
        return f"{text}; the device has no {products} to compare with"
    peak = f"{roofline['peak_gmac_per_s']:.0f} that {products} reach here"
    return f"{text} = {roofline['fraction']:.0%} of the {peak}"


def _operators(operators: Sequence[Row]) -> Iterator[str]:
    rows = [["  operator", "graph", "nodes", "ms", "share", "kMAC/px"]]
    rows += [
        [
            f"  {row['op']}",
            row["graph"],
            str(row["nodes"]),
            f"{row['ms']:.2f}",
            f"{row['share']:.0%}",
            f"{row['kmac_per_pixel']:.2f}",
        ]
        for row in operators[:OPERATORS]
    ]
    yield from table(rows).splitlines()


def _number(value: float | None) -> str:
    return "n/a" if value is None else readable(value)
