"""What every benchmark owes: options that are described, results that are checked, and its pieces.

A new module in ``benchmarks/suite`` is tried here without another line; it needs sample results.
"""

import argparse
import copy
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import compare, documents, registry, report, results, suite
from benchmarks.__main__ import main
from benchmarks.pieces import Table, text
from benchmarks.registry import Benchmark
from tests import sample_results

EVERY = registry.every()
MEASURED = {name: each for name, each in EVERY.items() if each.measure}
WRONG = {"wrong": [None]}

every = pytest.mark.parametrize("benchmark", EVERY.values(), ids=EVERY)
measured = pytest.mark.parametrize("benchmark", MEASURED.values(), ids=MEASURED)

Any_ = Benchmark[Any, Any]


def places(value: Any, *path: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the path and the value of everything in plain values; of a list the first item."""
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, *path, key)
    elif isinstance(value, list) and value:
        yield from places(value[0], *path, 0)


def changed(values: Any, path: tuple[Any, ...], to: Any) -> Any:
    """Return a copy of plain values with another one at a path."""
    copied = copy.deepcopy(values)
    place = copied
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return copied


def test_every_module_is_a_benchmark_and_has_samples() -> None:
    modules = {module.name for module in pkgutil.iter_modules(suite.__path__)}
    assert modules == set(EVERY) == set(sample_results.ALL)
    assert len({each.order for each in EVERY.values()}) == len(EVERY)


@measured
def test_every_option_has_a_description(benchmark: Any_) -> None:
    parser = argparse.ArgumentParser()
    benchmark.add_arguments(parser)
    for action in parser._actions:
        assert action.help, action.dest
    assert parser.get_default("json") == results.OWN / f"{benchmark.name}.json"


@measured
def test_help_works(benchmark: Any_, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([benchmark.name, "--help"])
    assert "--json" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert f"{benchmark.name} " in capsys.readouterr().out


@measured
def test_what_is_required_is_named(benchmark: Any_, capsys: pytest.CaptureFixture[str]) -> None:
    """The command in the report of absent results has all that the command line asks for."""
    parser = argparse.ArgumentParser()
    benchmark.add_arguments(parser)
    words = benchmark.how.split()
    assert words[:4] == ["python", "-m", "benchmarks", benchmark.name]
    parser.parse_args(words[4:])


@every
def test_results_come_back_as_they_were_written(benchmark: Any_, tmp_path: Path) -> None:
    result = sample_results.record(benchmark.name)
    path = sample_results.put(tmp_path, benchmark.name)
    assert registry.read(path) == benchmark.read(path) == result
    assert benchmark.result is type(result)
    again = results.text(benchmark.read(path))
    assert again == path.read_text(encoding="utf-8")


@every
def test_a_wrong_type_is_refused_everywhere(benchmark: Any_, tmp_path: Path) -> None:
    values = sample_results.ALL[benchmark.name]()
    path = tmp_path / "r.json"
    leaves = [where for where, value in places(values) if not isinstance(value, dict | list)]
    assert len(leaves) > 10
    for where in leaves:
        path.write_text(json.dumps(changed(values, where, WRONG)), encoding="utf-8")
        with pytest.raises(ValueError, match=r"r\.json: "):
            registry.read(path)


@every
def test_an_unknown_field_is_refused_everywhere(benchmark: Any_, tmp_path: Path) -> None:
    values = sample_results.ALL[benchmark.name]()
    path = tmp_path / "r.json"
    objects = [where for where, value in places(values) if isinstance(value, dict)]
    for where in objects:
        more = changed(values, (*where, "another"), WRONG)
        path.write_text(json.dumps(more), encoding="utf-8")
        with pytest.raises(ValueError, match=r"r\.json: .*another"):
            registry.read(path)


@every
def test_a_missing_field_is_named(benchmark: Any_, tmp_path: Path) -> None:
    values = sample_results.ALL[benchmark.name]()
    path = tmp_path / "r.json"
    for key in set(values) - {"benchmark", "schema", "schema_version"}:
        less = {name: value for name, value in values.items() if name != key}
        path.write_text(json.dumps(less), encoding="utf-8")
        with pytest.raises(ValueError, match=rf"r\.json: {key} is missing"):
            registry.read(path)


@every
def test_another_version_is_refused(benchmark: Any_, tmp_path: Path) -> None:
    values = sample_results.ALL[benchmark.name]()
    key = "schema" if "schema" in values else "schema_version"
    path = tmp_path / "r.json"
    path.write_text(json.dumps(values | {key: 99}), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"r\.json: {key} is '99'; expected {values[key]}"):
        registry.read(path)


@every
def test_a_file_is_the_same_as_itself(benchmark: Any_, tmp_path: Path) -> None:
    path = sample_results.put(tmp_path, benchmark.name)
    result = benchmark.read(path)
    assert len(compare.figures(result)) >= 2
    assert len(compare.figures(result)) == len(list(benchmark.figures(result)))
    assert {change.verdict for change in compare.changes(result, result)} == {"same"}
    assert main(["compare", str(path), str(path)]) == 0


@every
def test_the_results_are_shown(benchmark: Any_, tmp_path: Path) -> None:
    result = sample_results.record(benchmark.name)
    pieces = list(benchmark.pieces(result, tmp_path))
    tables = [piece for piece in pieces if isinstance(piece, Table)]
    assert tables
    for table in tables:
        assert len({len(row) for row in table.rows}) == 1
        assert len(table.rows) > 1
    shown = text(pieces)
    assert all(cell in shown for table in tables for row in table.rows for cell in row)
    sample_results.put(tmp_path, benchmark.name)
    page = report.page(tmp_path)
    assert f'<h2 id="{benchmark.name}">{benchmark.title}</h2>' in page
    assert f"No <code>{benchmark.name}.json</code>" not in page


@every
def test_the_committed_results_are_current(benchmark: Any_) -> None:
    path = results.FOLDER / f"{benchmark.name}.json"
    assert benchmark.read(path).benchmark == benchmark.name
    for page in documents.holding(benchmark.name) if benchmark.markdown else ():
        assert documents.rewritten(page) == page.read_text(encoding="utf-8"), "benchmarks readme"


def test_the_committed_results_are_all_known() -> None:
    assert {path.stem for path in results.FOLDER.glob("*.json")} == set(EVERY)
