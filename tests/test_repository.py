"""What surrounds the code: workflows, forms and metadata are well formed and agree."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import venturi

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
FORMS = sorted(path for path in GITHUB.glob("ISSUE_TEMPLATE/*.yml") if path.name != "config.yml")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REPOSITORY: str = PROJECT["urls"]["Repository"]


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_are_well_formed(path: Path) -> None:
    workflow = load(path)
    # YAML 1.1 reads the key `on` as true.
    assert {"name", True, "permissions", "jobs"} <= set(workflow)
    for step in steps(workflow):
        assert ("uses" in step) != ("run" in step), step
        if "uses" in step:
            assert re.fullmatch(r"[\w.-]+(/[\w.-]+)+@[\w./-]+", step["uses"]), step["uses"]
        if step.get("run", "").startswith("make "):
            assert step["run"].split()[1] in make_targets()


def test_the_matrix_is_what_the_package_promises() -> None:
    matrix = load(GITHUB / "workflows" / "test.yml")["jobs"]["test"]["strategy"]["matrix"]
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert matrix["python"] == promised
    systems = {"ubuntu": "Linux", "macos": "MacOS", "windows": "Windows"}
    assert {systems[name.partition("-")[0]] for name in matrix["os"]} == set(systems.values())
    for system in systems.values():
        assert any(line.endswith(system) for line in PROJECT["classifiers"]), system


def test_ci_runs_what_make_test_runs() -> None:
    runs = [step["run"] for step in steps(load(GITHUB / "workflows" / "test.yml")) if "run" in step]
    assert runs == ["make install", "make check"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^test: .*\n\t@\$\(MAKE\) check ", makefile, re.MULTILINE)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_are_well_formed(path: Path) -> None:
    form = load(path)
    assert {"name", "description", "labels", "body"} == set(form)
    identifiers = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert len(set(identifiers)) == len(identifiers)
    for field in form["body"]:
        assert field["type"] in {"textarea", "input", "checkboxes", "dropdown", "markdown"}
        assert "label" in field["attributes"] or field["type"] == "markdown"


def test_there_is_a_form_for_each_kind_of_report() -> None:
    assert {path.stem for path in FORMS} == {"bug", "model-quality", "question"}


def test_pre_commit_runs_the_linter_and_the_formatter() -> None:
    hooks = [
        h["id"] for repo in load(ROOT / ".pre-commit-config.yaml")["repos"] for h in repo["hooks"]
    ]
    assert {"ruff-check", "ruff-format"} <= set(hooks)


def test_the_citation_agrees_with_the_package() -> None:
    citation = load(ROOT / "CITATION.cff")
    assert citation["version"] == venturi.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == REPOSITORY
    assert citation["url"] == PROJECT["urls"]["Documentation"]
    assert [author["name"] for author in citation["authors"]] == [
        author["name"] for author in PROJECT["authors"]
    ]


def test_every_address_of_the_project_is_the_same() -> None:
    folders = [ROOT.glob("*.md"), ROOT.glob("*.cff"), GITHUB.rglob("*.*"), ROOT.glob("docs/*.*")]
    text = "\n".join(path.read_text(encoding="utf-8") for folder in folders for path in folder)
    ours = set(re.findall(r"https://[\w.-]*github\.(?:com|io)/[^\s)\"'>]*venturi[^\s)\"'>]*", text))
    assert len(ours) > 2
    known = REPOSITORY, PROJECT["urls"]["Documentation"].rstrip("/")
    assert [address for address in ours if not address.startswith(known)] == []
