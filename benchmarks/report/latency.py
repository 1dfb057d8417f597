"""The latency sweep's part of the report: distributions, quality against time, the roofline."""

from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.report import charts, markup
from venturi.bench.percentiles import NEEDED

NAME = "latency"
TITLE = "Latency"
COMMAND = "python -m benchmarks latency"

Row = dict[str, Any]

_PERCENTS = (50, 90, 99)


def parts(found: results.Results, folder: Path) -> list[str]:
    """Return the pieces of the section."""
    del folder
    rows = found["rows"]
    names = _names(rows)
    samples = {name: row["samples_ms"] for name, row in names.items()}
    marks = {name: _percentiles(row) for name, row in names.items()}
    title = f"Every sample, {found['subject']['name']}"
    return [
        markup.note(_subject(found)),
        *(markup.note(words) for words in _own_cost(found)),
        markup.grid(
            markup.plate(charts.distributions(samples, marks, title=title)),
            markup.stack(markup.plate(_quality(names)), markup.plate(_roofline(names))),
        ),
        markup.table(_latencies(rows), caption="Latencies in ms, and what was lost", ours=" "),
        markup.table(_parts(rows), caption="Where the time goes, medians in ms", ours=" "),
        _operators(names),
        *(markup.note(f"{_point(failure)}: {failure['reason']}") for failure in _failures(found)),
        markup.machine(found),
    ]


def _failures(found: results.Results) -> list[Row]:
    return list(found.get("failures", []))


def _subject(found: results.Results) -> str:
    subject, inputs = found["subject"], found.get("inputs", {})
    settings = ", ".join(f"{name} {value}" for name, value in subject.get("settings", {}).items())
    about = f"{subject['kind']} {subject['name']} ({subject['fingerprint']})"
    seen = f"pictures: {inputs['pictures']} from {inputs['source']}" if inputs else ""
    return "; ".join(filter(None, (about, settings, seen)))


def _own_cost(found: results.Results) -> list[str]:
    """Return what the harness costs, and what LoadGen says beside it, where that was measured."""
    words = []
    own, other = found.get("harness"), found.get("loadgen")
    if own:
        words.append(
            f"The harness costs {own['overhead_us']:.2f} µs a call, "
            f"{own['share_of_1_ms']:.2%} of a call of 1 ms."
        )
    if other:
        words.append(
            f"MLPerf LoadGen's single-stream p90 of {other['call']}, {other['size']}: "
            f"{other['loadgen_p90_ms']:.2f} ms, ours {other['p90_ms']:.2f} ms "
            f"({other['difference']:+.1%})."
        )
    return words


def _point(row: Row) -> str:
    """Return where in the sweep a row stands."""
    size = row["size"].replace("x", "×")
    return f"{size}, {_threads(row)}, {row['device']}, {row['precision']}"


def _threads(row: Row) -> str:
    return f"{row['threads']} thread{'' if row['threads'] == 1 else 's'}"


def _names(rows: list[Row]) -> dict[str, Row]:
    """Return the rows by names that say no more than what differs between them."""
    keys = [
        key
        for key in ("call", "size", "threads", "device", "precision", "scenario")
        if len({row.get(key) for row in rows}) > 1
    ]
    names = {}
    for row in rows:
        words = [
            _threads(row) if key == "threads" else str(row.get(key, "")).replace("x", "×")
            for key in keys
        ]
        names[" ".join(words) or row["scenario"]] = row
    return names


def _percentiles(row: Row) -> dict[str, float]:
    found = {f"p{percent}": row["latency_ms"].get(f"p{percent}") for percent in _PERCENTS}
    return {name: value for name, value in found.items() if value is not None}


def _latencies(rows: list[Row]) -> list[list[str]]:
    cells = [
        ["call", "size", "threads", "device", "precision", "scenario", "samples"]
        + [f"p{percent}" for percent in _PERCENTS]
        + ["pictures/s", "PSNR dB", "MB", "cold start", "verdict", "found"]
    ]
    for row in rows:
        times = [_time(row["latency_ms"].get(f"p{percent}"), percent) for percent in _PERCENTS]
        cells.append(
            [
                str(row.get("call", "")),
                row["size"].replace("x", "×"),
                str(row["threads"]),
                row["device"],
                row["precision"],
                row["scenario"],
                str(row.get("samples", len(row["samples_ms"]))),
                *times,
                _number((row.get("throughput") or {}).get("pictures_per_s"), 1),
                _number((row.get("error") or {}).get("psnr_db"), 2),
                _number(row.get("memory_mb"), 0),
                _number(sum((row.get("cold_start_ms") or {}).values()) or None, 0),
                str((row.get("stability") or {}).get("verdict", "")),
                _found(row.get("load") or {}),
            ]
        )
    return cells


def _found(load: Row) -> str:
    """Return what a scenario found out, in words."""
    if load.get("rate_per_s") is not None:
        return f"{load['rate_per_s']:.1f} a second hold {load['bound_ms']:g} ms"
    if "bound_ms" in load:
        return f"no rate holds {load['bound_ms']:g} ms"
    if "dropped" in load:
        age = (load.get("age_ms") or {}).get("p50")
        old = "" if age is None else f", age {age:.0f} ms"
        return f"{load['dropped']} of {load['frames']} dropped{old}"
    return f"{load['streams']} streams" if "streams" in load else ""


def _time(value: float | None, percent: int) -> str:
    return f"n/a (needs {NEEDED[percent]})" if value is None else f"{value:.2f}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _parts(rows: list[Row]) -> list[list[str]]:
    names = list(dict.fromkeys(part for row in rows for part in row.get("split_ms") or {}))
    cells = [["call", "size", "threads", "precision", "scenario", *names]]
    for row in rows:
        split = row.get("split_ms") or {}
        start = [row.get("call", ""), row["size"].replace("x", "×"), row["threads"]]
        start += [row["precision"], row["scenario"]]
        cells.append([*map(str, start), *(_number(split.get(name), 2) for name in names)])
    return cells


def _quality(names: dict[str, Row]) -> str:
    points = {
        name: (row["latency_ms"]["p50"], row["error"]["psnr_db"])
        for name, row in names.items()
        if row["latency_ms"].get("p50") and (row.get("error") or {}).get("psnr_db") is not None
    }
    if not points:
        return ""
    return charts.scatter(points, title="Quality over time", x="ms (p50)", y="PSNR, dB")


def _roofline(names: dict[str, Row]) -> str:
    points, peaks = {}, {}
    for name, row in names.items():
        line = (row.get("profile") or {}).get("roofline")
        if not line or not line.get("gmac_per_s") or not line.get("kmac_per_pixel"):
            continue
        points[f"{name}: {line['fraction']:.0%}"] = (line["kmac_per_pixel"], line["gmac_per_s"])
        kind = f"{line.get('peak_kind', row['precision'])}, {_threads(row)}"
        peaks[f"{row['device']} {kind}"] = line["peak_gmac_per_s"]
    if not points:
        return ""
    return charts.roofline(points, peaks, title="Roofline: reached, below the machine's own peak")


def _operators(names: dict[str, Row]) -> str:
    """Return onnxruntime's operators by time, of every row that has a profile."""
    cells = [["row", "graph", "operator", "nodes", "ms", "share", "kMAC per pixel"]]
    for name, row in names.items():
        for found in (row.get("profile") or {}).get("operators", []):
            share, work = f"{found['share']:.1%}", _number(found.get("kmac_per_pixel"), 2)
            values = (found["graph"], found["op"], found["nodes"], f"{found['ms']:.3f}")
            cells.append([name, *map(str, values), share, work])
    if len(cells) == 1:
        return ""
    return markup.folded("Operators", markup.table(cells, caption="Time by operator", ours=" "))
