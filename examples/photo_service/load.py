"""Put the service under load, a tenth of it hostile: ``python -m photo_service.load``.

It starts a server of its own on the loopback interface, sends requests, several at a time, checks
every answer to the bit, and watches the server's memory.
"""

import argparse
import asyncio
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import numpy as np

from venturi import Codec, images

from .hostile import Attack, attacks
from .limits import Limits

SIDES = (64, 96, 160, 256)
WARM_UP = 0.3  # of the requests: pools and arenas are as large as they get after these
ROOM_MB = 32  # that the memory may still grow by afterwards


@dataclass
class Report:
    """What came of a load.

    Attributes:
        seconds: that it took.
        hostile: requests that were attacks.
        latencies_ms: of every request.
        wrong: a line for each wrong answer.
        memory_mb: of the server after the warm-up and at the end.
    """

    seconds: float = 0.0
    hostile: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    memory_mb: tuple[float, float] = (0.0, 0.0)

    @property
    def passed(self) -> bool:
        """True if every answer was right and the memory is flat."""
        before, after = self.memory_mb
        return not self.wrong and after - before < ROOM_MB

    def __str__(self) -> str:
        median, slow = np.percentile(self.latencies_ms, (50, 99))
        lines = [
            f"{len(self.latencies_ms)} requests, {self.hostile} hostile, {self.seconds:.1f} s",
            f"latency {median:.0f} ms (median), {slow:.0f} ms (99 %)",
            "memory {:.0f} MB after the warm-up, {:.0f} MB at the end".format(*self.memory_mb),
            f"{len(self.wrong)} wrong answers",
        ]
        return "\n".join([*lines, *self.wrong[:20]])


@dataclass(frozen=True)
class Sample:
    """A picture with all right answers about it."""

    png: bytes
    answers: dict[str, bytes]


def samples() -> list[Sample]:
    """Return small pictures, and what the service must answer about each."""
    codec = Codec("photo", threads=1)  # as the service has it
    rng = np.random.default_rng(0)
    pictures = []
    for side in SIDES:
        coarse = rng.integers(0, 256, (side // 16, side // 16 + 1, 3))
        pixels = np.kron(coarse, np.ones((16, 16, 1))).astype(np.uint8)
        stream = codec.compress(pixels, quality=50)
        whole, part = codec.decompress(stream), codec.decompress(stream, region=(8, 4, 32, 40))
        answers = {
            ".vnt": stream,
            ".png": images.encode(whole, ".png"),
            ".jpg": images.encode(whole, ".jpg"),
            ".png?region=8,4,32,40": images.encode(part, ".png"),
        }
        pictures.append(Sample(images.encode(pixels, ".png"), answers))
    return pictures


@contextmanager
def running_server(*options: str) -> Iterator[tuple[str, int]]:
    """Start a service in a folder of its own; yield its address and process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", str(__package__), folder, "--port", str(port), *options]
        server = subprocess.Popen(command, env={**os.environ, **path})
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(f"{url}/health", server)
            yield url, server.pid
        finally:
            server.terminate()
            server.wait(60)


def _wait_for(url: str, server: "subprocess.Popen[bytes]", seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            httpx2.get(url).raise_for_status()
            return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"{url}: no answer; the server's own words are above")


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process and its children, MB; 0 where there is no /proc."""
    total, pids = 0, [pid]
    while pids:
        folder = Path("/proc", str(pids.pop()))
        try:
            total += int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            tasks = list((folder / "task").iterdir())
            pids += [
                int(child) for task in tasks for child in (task / "children").read_text().split()
            ]
        except OSError:  # it has just ended
            continue
    return total / 1e6


async def load(url: str, pid: int, requests: int, at_once: int) -> Report:
    """Send requests and check the answers."""
    known, report, rng = samples(), Report(), random.Random(0)
    evil = attacks(known[0].answers[".jpg"], known[0].answers[".vnt"], Limits())
    todo = iter(range(requests))
    start = time.perf_counter()

    async with httpx2.AsyncClient(base_url=url, timeout=120) as client:
        for number, sample in enumerate(known):
            (await client.put(f"/photos/known-{number}", content=sample.png)).raise_for_status()
        (await client.put("/photos/first", content=known[0].png)).raise_for_status()

        async def send(number: int) -> None:
            if number % 10 == 9:
                report.hostile += 1
                await _attack(client, evil[number // 10 % len(evil)], report)
            else:
                choice = rng.randrange(len(known))
                await _ask(client, f"{number}", choice, known[choice], rng, report)

        async def keep_sending() -> None:
            for number in todo:
                begin = time.perf_counter()
                await send(number)
                report.latencies_ms.append(1000 * (time.perf_counter() - begin))
                if len(report.latencies_ms) == int(WARM_UP * requests):
                    report.memory_mb = memory_mb(pid), 0.0

        await asyncio.gather(*(keep_sending() for _ in range(at_once)))
    report.seconds = time.perf_counter() - start
    report.memory_mb = report.memory_mb[0], memory_mb(pid)
    return report


async def _attack(client: httpx2.AsyncClient, attack: Attack, report: Report) -> None:
    try:
        answer = await client.request(attack.method, attack.path, content=attack.body)
    except httpx2.WriteError:
        return  # the server may hang up on an upload that it has refused
    if answer.status_code not in attack.statuses:
        report.wrong.append(f"{attack.title}: {answer.status_code}, expected {attack.statuses}")


async def _ask(
    client: httpx2.AsyncClient,
    name: str,
    choice: int,
    sample: Sample,
    rng: random.Random,
    report: Report,
) -> None:
    """Keep a new photo, or ask for one that is there."""
    kind = rng.choice(["put", *sample.answers])
    if kind == "put":
        answer = await client.put(f"/photos/{name}", content=sample.png)
        right = answer.status_code == 201
    else:
        answer = await client.get(f"/photos/known-{choice}{kind}")
        right = answer.status_code == 200 and answer.content == sample.answers[kind]
    if not right:
        report.wrong.append(f"{kind} of known-{choice}: {answer.status_code}, {answer.text[:80]!r}")


def main() -> int:
    """Run a load; return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="photo_service.load", description="Load the service.")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1, help="processes of the server")
    arguments = parser.parse_args()
    with running_server("--workers", str(arguments.workers)) as (url, pid):
        report = asyncio.run(load(url, pid, arguments.requests, arguments.at_once))
    print(report)
    return 0 if report.passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
