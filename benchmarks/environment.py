"""What the figures were measured on, as the results files have it."""

from datetime import UTC, datetime

from benchmarks.results import Environment, checked
from venturi.bench import machine


def describe(*, threads: int) -> Environment:
    """Return the machine, the day and how many threads the measured calls may use."""
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    return checked(Environment, machine.describe() | {"measured_on": today, "threads": threads})


def notes(environment: Environment) -> list[str]:
    """Return the first notes of a measurement: whether other work was running."""
    return [environment.busy] if environment.busy else []
