"""What a bundle costs on this machine, as ``venturi bench`` measures it, kept as results.

Beside the rows of the bench, which runtime/BENCH.md describes, the file has what the harness itself
costs and what MLPerf's LoadGen says of the same calls.
"""

import argparse

from benchmarks import harness, loadgen, results
from venturi.bench import command, sweep
from venturi.bench.arguments import add_arguments, add_subject
from venturi.bench.scenarios import CAMERA, OFFLINE, SINGLE_STREAM
from venturi.bench.text import report


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands ``latency`` and ``loadgen``."""
    latency = commands.add_parser("latency", help="what a bundle costs here: venturi bench, kept")
    add_arguments(latency)
    latency.set_defaults(
        run=_latency,
        profile=True,
        scenario=(SINGLE_STREAM, OFFLINE, CAMERA),
        json=results.OWN / "latency.json",
    )
    against = commands.add_parser("loadgen", help="single-stream p90 beside MLPerf LoadGen's")
    add_subject(against)
    against.set_defaults(run=_loadgen)


def measure(options: sweep.Options) -> results.Results:
    """Measure everything and return what goes into the results file."""
    own = harness.cost()
    found = sweep.measure(options, say=command.say)
    beside = loadgen.compare(options) if loadgen.present() else None
    return {**found, "harness": own, "loadgen": beside}


def text(found: results.Results) -> str:
    """Return the results as people read them."""
    own, beside = found["harness"], found["loadgen"]
    harness_line = (
        f"the harness costs {own['overhead_us']:.2f} µs for each call, "
        f"{own['share_of_1_ms']:.2%} of a model of 1 ms"
    )
    against = loadgen.text(beside) if beside else "MLPerf LoadGen: absent, not compared with"
    return "\n\n".join([report(found), harness_line, against])


def _latency(options: argparse.Namespace) -> int:
    found = measure(command.options(options))
    command.write(options.json, found)
    print(text(found))
    return int(bool(found["failures"]))


def _loadgen(options: argparse.Namespace) -> int:
    if not loadgen.present():
        raise ValueError("MLPerf LoadGen is not installed: pip install mlcommons-loadgen")
    found = loadgen.compare(
        sweep.Options(
            options.subject,
            decoder=options.decoder,
            sizes=options.size,
            threads=options.threads,
            images=options.images,
            quality=options.quality,
        )
    )
    print(loadgen.text(found))
    return int(abs(found["difference"]) > loadgen.TOLERANCE)
