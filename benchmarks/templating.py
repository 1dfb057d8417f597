"""Pages and pictures from the files in ``templates/``: text is escaped unless it is Markup."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from benchmarks.pieces import minus

FOLDER = Path(__file__).parent / "templates"

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.globals["file"] = lambda name: Markup((FOLDER / name).read_text(encoding="utf-8"))
_ENVIRONMENT.filters["minus"] = minus


def render(name: str, **values: object) -> str:
    """Return a template with its values filled in.

    Raises jinja2.UndefinedError when a value is missing.
    """
    return _ENVIRONMENT.get_template(name).render(values)
