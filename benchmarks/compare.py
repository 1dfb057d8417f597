"""Two results files of one benchmark: what changed beyond the noise, and whether it got worse."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import results
from benchmarks.bd_rate import bd_rate_percent
from benchmarks.environment import busy

TIME_NOISE = 0.10
PSNR_NOISE_DB = 0.03
RATE_NOISE_PERCENT = 0.5
ARITHMETIC_NOISE = 0.01


@dataclass(frozen=True)
class Change:
    """One figure in both files.

    worse: by how much it got worse, in the unit of `noise`; negative when it got better.
    noise: up to here a change means nothing.
    """

    name: str
    old: float
    new: float
    worse: float
    noise: float

    @property
    def verdict(self) -> str:
        """Say what the change means."""
        if abs(self.worse) <= self.noise:
            return "same"
        return "worse" if self.worse > 0 else "better"


def changes(old: results.Results, new: results.Results) -> list[Change]:
    """Return all figures that both files have.

    Raises ValueError when the files are of two benchmarks or of two sets of pictures.
    """
    for key in ("benchmark", "data"):
        if old.get(key) != new.get(key):
            raise ValueError(
                f"{key} is {old.get(key)!r} in the old file and {new.get(key)!r} in the new: "
                "compare two runs of one benchmark on one folder"
            )
    sources = {"codec": (_rates, _arithmetic), "denoise": (_quality,)}[old["benchmark"]]
    found = [change for source in sources for change in source(old, new)]
    return found if untimed(old, new) else [*found, *_times(old, new)]


def untimed(old: results.Results, new: results.Results) -> str | None:
    """Return why times are not compared, or None when they are."""
    for name, found in (("old", old), ("new", new)):
        reason = busy(found["environment"])
        if reason:
            return f"times not compared, {name} file: {reason}"
    machines = [(f["environment"]["cpu"], f["environment"]["threads"]) for f in (old, new)]
    if machines[0] != machines[1]:
        return f"times not compared: measured on {machines[0]} and on {machines[1]}"
    return None


def text(found: list[Change]) -> str:
    """Return the changes as people read them, those that mean something first."""
    rows = [["figure", "old", "new", "verdict"]]
    for change in sorted(found, key=lambda c: (c.verdict == "same", c.verdict != "worse")):
        rows.append([change.name, f"{change.old:.3f}", f"{change.new:.3f}", change.verdict])
    return results.table(rows)


def _rates(old: results.Results, new: results.Results) -> Iterator[Change]:
    curves = [[(p["bpp"], p["psnr_db"]) for p in f["points"]["venturi"]] for f in (old, new)]
    rate = bd_rate_percent(*curves, rates=(0.15, 1.0))
    yield Change("rate at equal PSNR, old to new, %", 0.0, rate, rate, RATE_NOISE_PERCENT)
    for name, before in old["bd_rate_percent"].items():
        after = new["bd_rate_percent"].get(name)
        if before is not None and after is not None:
            title = f"BD-rate against {name}, %"
            yield Change(title, before, after, after - before, RATE_NOISE_PERCENT)


def _arithmetic(old: results.Results, new: results.Results) -> Iterator[Change]:
    for role, before in old["kmac_per_pixel"].items():
        after = new["kmac_per_pixel"][role]
        share = after / before - 1 if before else float(after > 0)
        yield Change(f"kMAC per pixel, {role}", before, after, share, ARITHMETIC_NOISE)


def _quality(old: results.Results, new: results.Results) -> Iterator[Change]:
    before, after = dict(_venturi_psnr(old)), dict(_venturi_psnr(new))
    for name in before.keys() & after.keys():
        worse = before[name] - after[name]
        yield Change(f"PSNR {name}, dB", before[name], after[name], worse, PSNR_NOISE_DB)


def _venturi_psnr(found: results.Results) -> Iterator[tuple[str, float]]:
    for name, sigmas in found["gaussian_psnr_db"].items():
        yield from ((f"{name} sigma {sigma}", means["venturi"]) for sigma, means in sigmas.items())
    for kind in ("real", "clean"):
        for name, means in found[f"{kind}_psnr_db"].items():
            yield f"{name} {kind}", means["venturi"]


def _times(old: results.Results, new: results.Results) -> Iterator[Change]:
    before, after = dict(_venturi_times(old)), dict(_venturi_times(new))
    for name in before.keys() & after.keys():
        share = after[name] / before[name] - 1
        yield Change(f"median {name}, ms", before[name], after[name], share, TIME_NOISE)


def _venturi_times(found: results.Results) -> Iterator[tuple[str, float]]:
    latency = found["latency"]
    if found["benchmark"] == "codec":
        yield from ((call, latency["venturi"][call]["median_ms"]) for call in ("encode", "decode"))
    else:
        yield from ((size, times["venturi"]["median_ms"]) for size, times in latency.items())
