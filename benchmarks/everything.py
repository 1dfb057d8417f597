"""Every benchmark whose data and models are there, as commands; what is absent is said to be."""

import argparse
import sys
from pathlib import Path

from benchmarks import mnist

Plan = dict[str, list[str]]


def plan(options: argparse.Namespace) -> Plan:
    """Return the commands to run, in order, by name; the report comes last.

    options: data, results and runs_folder as paths; pictures, threads and runs as numbers.
    """
    threads = ["--threads", str(options.threads)]
    runs = ["--runs", str(options.runs)]
    few = [] if options.pictures is None else ["--pictures", str(options.pictures)]
    timed = [*threads, *runs, *few]
    data = ["--data", str(options.data)]
    kodak = options.data / "kodak"
    found: Plan = {}
    if _there(kodak, "codec"):
        found["codec"] = ["--data", str(kodak), *timed]
    if _there(kodak, "denoise"):
        found["denoise"] = [*data, *timed]
    if _there(options.data / "mnist", "mnist") and _bundles(options.runs_folder):
        found["mnist"] = [*data, "--runs-folder", str(options.runs_folder), *timed]
    if _there(options.data / "video", "video"):
        found["video"] = [*data, *threads, *few]
    found |= {"frame": [*threads, *runs], "memory": threads, "latency": []}
    page = options.results / "report.html"
    report = ["report", "--results", str(options.results), "--html", str(page)]
    json = {name: ["--json", str(options.results / f"{name}.json")] for name in found}
    return {name: [name, *json[name], *words] for name, words in found.items()} | {"report": report}


def _there(folder: Path, name: str) -> bool:
    if folder.is_dir():
        return True
    _absent(name, f"no folder {folder}")
    return False


def _bundles(folder: Path) -> bool:
    try:
        return bool(mnist.listed(folder))
    except ValueError as error:
        _absent("mnist", str(error))
        return False


def _absent(name: str, reason: str) -> None:
    print(f"{name}: absent, {reason}", file=sys.stderr)
