"""The command line: ``python -m benchmarks COMMAND``.

Every benchmark of ``benchmarks/suite`` is a command; the other commands work on their results.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from benchmarks import (
    card,
    compare,
    documents,
    everything,
    loadgen,
    options,
    picture,
    registry,
    report,
)
from benchmarks.pieces import text
from benchmarks.registry import Benchmark
from venturi.errors import VenturiError


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; return 0 when it worked."""
    arguments = parser().parse_args(words)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run(arguments)
    except (VenturiError, ValueError, OSError) as error:
        print(f"benchmarks {arguments.command}: {error}", file=sys.stderr)
        return 2 if arguments.command == "compare" else 1


def parser() -> argparse.ArgumentParser:
    """Return the command line: one command for each benchmark, then the tools."""
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, benchmark in registry.every().items():
        if benchmark.measure:
            command = commands.add_parser(name, help=benchmark.help)
            benchmark.add_arguments(command)
            command.set_defaults(run=partial(_measure, benchmark))
    for name, (words, kind, run) in _TOOLS.items():
        tool = commands.add_parser(name, help=words, description=words)
        options.add_arguments(tool, kind)
        tool.set_defaults(run=partial(_run, kind, run))
    beside = commands.add_parser("loadgen", help="single-stream p90 beside MLPerf LoadGen's")
    loadgen.add_arguments(beside)
    beside.set_defaults(run=loadgen.run)
    return top


def _measure(benchmark: Benchmark[Any, Any], arguments: argparse.Namespace) -> int:
    """Measure, write the results, show them, and return whether all of it ran."""
    assert benchmark.measure is not None
    result = benchmark.measure(benchmark.read_arguments(arguments))
    benchmark.keep(result, arguments.json)
    print(text(benchmark.pieces(result, arguments.json.parent)))
    return int(benchmark.failed(result))


def _run(kind: type, run: Callable[[Any], int], arguments: argparse.Namespace) -> int:
    return run(options.built(kind, arguments))


_TOOLS: dict[str, tuple[str, type, Callable[[Any], int]]] = {
    "all": (
        "every benchmark whose data and models are present, then the report",
        everything.Options,
        lambda options: everything.run(options, main),
    ),
    "report": ("one HTML page of the results", report.Options, report.run),
    "compare": (
        "what changed beyond the noise between two results files of any kind; the exit code is 0 "
        "when nothing got worse, 1 on a regression or a figure that is gone, 2 when the files "
        "cannot be compared",
        compare.Options,
        compare.run,
    ),
    "readme": ("write the results into the documents", documents.Options, documents.run),
    "picture": ("draw the picture of the README", picture.Options, picture.run),
    "card": ("write a codec's model card into its bundle", card.Options, card.run),
}


if __name__ == "__main__":
    sys.exit(main())
