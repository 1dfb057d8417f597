"""What a benchmark is, and which there are: each module of ``benchmarks/suite`` has one.

The command line, the plan of ``all``, ``compare``, the report, the documents and the contract test
get everything about a benchmark from here.
"""

import argparse
import json
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchmarks import options, results, suite
from benchmarks.figures import Figure
from benchmarks.pieces import Piece
from benchmarks.results import Machine

O = TypeVar("O")  # noqa: E741
R = TypeVar("R")


class AbsentError(Exception):
    """Something that a benchmark needs is missing; the message says what."""


@dataclass(frozen=True)
class Arguments:
    """A command line that is not made from the fields of a dataclass.

    add: puts the arguments into a parser. read: returns options from what was parsed.
    """

    add: Callable[[argparse.ArgumentParser], None]
    read: Callable[[argparse.Namespace], Any]


@dataclass(frozen=True)
class Sources:
    """Where ``all`` looks. data: folder of all data sets. runs_folder: of training runs."""

    data: Path
    runs_folder: Path

    def folder(self, name: str) -> Path:
        """Return a folder of the data.

        Raises AbsentError when it is not there.
        """
        if not (self.data / name).is_dir():
            raise AbsentError(f"no folder {self.data / name}")
        return self.data / name

    def holding(self, name: str) -> dict[str, Path]:
        """Return the folder of all data as an option.

        Raises AbsentError when it does not hold a data set.
        """
        self.folder(name)
        return {"data": self.data}


@dataclass(frozen=True, kw_only=True)
class Benchmark(Generic[O, R]):
    """One benchmark.

    Attributes:
        name: of its command and its results file.
        title: of its section in the report.
        help: one line for the command line.
        order: its place in the report and in ``all``.
        options: a dataclass whose fields are made by `options.option`.
        result: the record that its results file holds.
        measure: does the work; None where another program writes the results.
        figures: what can get better or worse in the results.
        pieces: its section of the report, which is also what the terminal shows. The folder is
            that of the results, where pictures lie beside them.
        markdown: its table in the documents, None for none.
        plan: the options that ``all`` gives it; raises AbsentError where something is missing. None
            leaves it out.
        between: figures of two results together, such as the rate of one curve against the other.
        machine: what was measured on, None where no times are compared.
        same: what must be equal in two results for a comparison to mean something.
        failed: whether a part of the measurement did not run, which the exit code says.
        after: is called with the path once results are written, to draw what lies beside them.
        arguments: of the command line where they are not the fields of the options.
        command: how its results are made, where that is not ``python -m benchmarks NAME``.
    """

    name: str
    title: str
    help: str
    order: int
    options: type[O]
    result: type[R]
    measure: Callable[[O], R] | None
    figures: Callable[[R], Iterable[Figure]]
    pieces: Callable[[R, Path], Iterable[Piece]]
    markdown: Callable[[R, Path], str] | None = None
    plan: Callable[[Sources], dict[str, Path]] | None = None
    between: Callable[[R, R], Iterable[tuple[Figure, Figure]]] | None = None
    machine: Callable[[R], Machine | None] = lambda result: getattr(result, "environment", None)
    same: Callable[[R], dict[str, object]] = lambda result: {}
    failed: Callable[[R], bool] = lambda result: False
    after: Callable[[R, Path], None] | None = None
    arguments: Arguments | None = None
    command: str = ""

    @property
    def how(self) -> str:
        """The command that writes the results, with the options that it needs."""
        if self.command:
            return self.command
        needs = "" if self.arguments else options.required(self.options)
        return f"python -m benchmarks {self.name} {needs}".strip()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Put the benchmark's options into a parser."""
        if self.arguments:
            self.arguments.add(parser)
        else:
            options.add_arguments(parser, self.options)
        parser.set_defaults(json=results.OWN / f"{self.name}.json")

    def read_arguments(self, arguments: argparse.Namespace) -> O:
        """Return parsed arguments as the benchmark's options."""
        if self.arguments:
            read: O = self.arguments.read(arguments)
            return read
        return options.built(self.options, arguments)

    def keep(self, result: R, path: Path) -> None:
        """Write results, and what is drawn from them beside."""
        results.write(path, result)
        if self.after:
            self.after(result, path)

    def read(self, path: Path) -> R:
        """Return the results of a file.

        Raises ValueError when it holds something else.
        """
        return results.read(path, self.result)


@cache
def every() -> dict[str, Benchmark[Any, Any]]:
    """Return all benchmarks by name, in the order of the report."""
    names = [module.name for module in pkgutil.iter_modules(suite.__path__)]
    registered: Sequence[Benchmark[Any, Any]] = [
        import_module(f"{suite.__name__}.{name}").BENCHMARK for name in names
    ]
    return {each.name: each for each in sorted(registered, key=lambda each: each.order)}


def read(path: Path) -> Any:
    """Return the results of a file of any benchmark.

    Raises ValueError when the file holds something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}; expected results that a benchmark wrote") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: {type(values).__name__}; expected an object")
    name = str(values.get("benchmark"))
    if name not in every():
        raise ValueError(f"{path}: benchmark is {name!r}; expected one of {', '.join(every())}")
    return every()[name].read(path)
