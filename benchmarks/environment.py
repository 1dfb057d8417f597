"""What the figures were measured on, as the results files have it."""

from datetime import UTC, datetime

from venturi.bench import machine

Environment = machine.Machine


def describe(*, threads: int) -> Environment:
    """Return the machine, the day and how many threads the measured calls may use."""
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    return {"measured_on": today, **machine.describe(), "threads": threads}


def busy(environment: Environment) -> str | None:
    """Return a sentence when other work was running, since times do not count then."""
    load = environment["load_average"]
    assert isinstance(load, list)
    if float(load[0]) <= 0.5:
        return None
    return f"load average {load[0]} before the run: other work ran, so the times are upper bounds"
