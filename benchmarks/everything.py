"""Run every benchmark whose data and models are present, then the report; name the others."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from benchmarks import registry
from benchmarks.options import option
from benchmarks.registry import AbsentError, Benchmark, Sources
from benchmarks.results import OWN

Plan = dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is passed to every benchmark that has such an option."""

    data: Path = option("folder that holds kodak, cbsd68, cc15, mnist ...", metavar="FOLDER")
    results: Path = option("folder for the results files", OWN, metavar="FOLDER")
    runs_folder: Path = option("folder of training runs", Path("runs"), metavar="FOLDER")
    pictures: int | None = option("the first N pictures of each set", None)
    threads: int = option("threads of the graphs and of OpenCV", 2)
    runs: int = option("calls for the latencies", 64)


def run(options: Options, main: Callable[[Sequence[str]], int]) -> int:
    """Run the plan, going on after failures; return 1 when something failed.

    main: runs one command line.
    """
    failed = [name for name, words in plan(options).items() if main(words) != 0]
    for name in failed:
        print(f"benchmarks all: {name} failed, see above", file=sys.stderr)
    return int(bool(failed))


def plan(options: Options) -> Plan:
    """Return the command lines to run, in order, by name; the report comes last."""
    sources = Sources(options.data, options.runs_folder)
    lines: Plan = {}
    for name, benchmark in registry.every().items():
        if benchmark.plan is None:
            continue
        try:
            own = benchmark.plan(sources)
        except AbsentError as error:
            print(f"{name}: absent, {error}", file=sys.stderr)
            continue
        values = _common(options, benchmark) | own
        values["json"] = options.results / f"{name}.json"
        lines[name] = [name, *_words(values)]
    page = options.results / "report.html"
    lines["report"] = ["report", *_words({"results": options.results, "html": page})]
    return lines


def _common(options: Options, benchmark: Benchmark[object, object]) -> dict[str, object]:
    """Return the options that a benchmark shares with ``all``, but for those of its data."""
    if benchmark.arguments:
        return {}
    names = {field.name for field in fields(benchmark.options)}  # type: ignore[arg-type]
    shared = {"pictures": options.pictures, "threads": options.threads, "runs": options.runs}
    return {name: value for name, value in shared.items() if name in names and value is not None}


def _words(values: dict[str, object]) -> list[str]:
    pairs = ((f"--{name.replace('_', '-')}", str(value)) for name, value in values.items())
    return [word for pair in pairs for word in pair]
