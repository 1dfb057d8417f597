"""The example service keeps pictures, serves them, and refuses everything else with a reason."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from examples.photo_service import load
from examples.photo_service.app import create_app
from examples.photo_service.hostile import Attack, attacks
from examples.photo_service.limits import Limits
from examples.photo_service.refusal import Refusal
from examples.photo_service.store import Store
from examples.photo_service.workers import STUCK_EXIT, Workers
from venturi import Codec, images

LIMITS = Limits(max_bytes=1_000_000, max_pixels=300 * 300)


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec("photo", threads=1)


@pytest.fixture
def client(codec: Codec, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(tmp_path / "photos", codec, LIMITS)) as client:
        yield client


def picture(height: int = 90, width: int = 120) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows, columns, rows + columns], -1).astype(np.uint8)


PNG = images.encode(picture(), ".png")
JPEG = images.encode(picture(), ".jpg")


@pytest.fixture(scope="module")
def stream(codec: Codec) -> bytes:
    return codec.compress(picture(), quality=50)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_is_kept_as_a_stream(
    client: TestClient, codec: Codec, tmp_path: Path, suffix: str
) -> None:
    upload = images.encode(picture(), suffix)
    answer = client.put("/photos/beach-1?quality=70", content=upload)
    expected = codec.compress(images.decode(upload, name="").pixels, quality=70)
    assert answer.status_code == 201
    assert answer.json() == {"received": len(upload), "stored": len(expected)}
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["beach-1.vnt"]
    assert client.get("/photos/beach-1.vnt").content == expected


def test_a_stream_is_kept_as_it_is(client: TestClient, stream: bytes) -> None:
    assert client.put("/photos/mine", content=stream).status_code == 201
    assert client.get("/photos/mine.vnt").content == stream


def test_a_photo_comes_back_whole_or_in_part(client: TestClient, codec: Codec) -> None:
    stored = codec.compress(picture(), quality=50)
    client.put("/photos/beach", content=PNG)
    png, jpg = client.get("/photos/beach.png"), client.get("/photos/beach.jpg")
    part = client.get("/photos/beach.png?region=8,16,24,32")
    whole = codec.decompress(stored)
    assert (png.headers["content-type"], jpg.headers["content-type"]) == ("image/png", "image/jpeg")
    assert png.headers["x-content-type-options"] == "nosniff"
    np.testing.assert_array_equal(images.decode(png.content, name="").pixels, whole)
    np.testing.assert_array_equal(images.decode(part.content, name="").pixels, whole[8:32, 16:48])
    assert jpg.content == images.encode(whole, ".jpg")


def test_what_is_not_there_is_404(client: TestClient) -> None:
    assert client.get("/photos/nothing.png").status_code == 404
    assert client.get("/health").json() == {"status": "ok"}


def test_a_name_is_given_once(client: TestClient) -> None:
    client.put("/photos/one", content=PNG)
    before = client.get("/photos/one.vnt").content
    assert (
        client.put("/photos/one", content=images.encode(picture(64, 64), ".png")).status_code == 409
    )
    assert client.get("/photos/one.vnt").content == before


def all_attacks() -> list[Attack]:
    codec = Codec("photo", threads=1)
    return attacks(JPEG, codec.compress(picture(), quality=50), LIMITS)


@pytest.mark.parametrize("attack", all_attacks(), ids=lambda attack: attack.title[:40])
def test_attacks_are_answered_and_leave_nothing(
    client: TestClient, tmp_path: Path, attack: Attack
) -> None:
    client.put("/photos/first", content=PNG)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    answer = client.request(attack.method, attack.path, content=attack.body)
    assert answer.status_code in attack.statuses, answer.text
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before
    assert client.get("/photos/first.png").status_code == 200


def test_a_picture_over_the_limit_names_the_limit(client: TestClient) -> None:
    answer = client.put("/photos/big", content=images.encode(picture(301, 300), ".png"))
    assert answer.status_code == 413
    assert str(LIMITS.max_pixels) in answer.json()["detail"]


def test_a_photo_damaged_on_the_disk_is_the_servers_fault(
    client: TestClient, tmp_path: Path
) -> None:
    client.put("/photos/one", content=PNG)
    path = tmp_path / "photos" / "one.vnt"
    path.write_bytes(path.read_bytes()[:-1])
    assert client.get("/photos/one.png").status_code == 500


@pytest.mark.parametrize("failure", [MemoryError(), OSError("disk full")])
def test_no_room_is_the_servers_fault_and_leaves_nothing(
    codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(descriptor: int) -> None:
        raise failure

    app = create_app(tmp_path, codec, LIMITS)
    monkeypatch.setattr(os, "fsync", fail)
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.put("/photos/one", content=PNG).status_code in (500, 503)
    assert list(tmp_path.iterdir()) == []


def test_an_upload_must_not_take_for_ever(codec: Codec, tmp_path: Path) -> None:
    app = create_app(tmp_path, codec, replace(LIMITS, upload_s=0.05))

    async def trickle() -> AsyncIterator[bytes]:
        for byte in PNG:
            yield bytes([byte])
            await asyncio.sleep(0.02)

    async def upload() -> httpx2.Response:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.put("/photos/slow", content=trickle())

    assert asyncio.run(upload()).status_code == 408


def test_of_two_uploads_of_one_name_one_wins(tmp_path: Path) -> None:
    store, outcomes = Store(tmp_path), []
    barrier = threading.Barrier(8)

    def add(number: int) -> None:
        barrier.wait()
        try:
            store.add("same", bytes([number]) * 1000)
            outcomes.append(number)
        except Refusal as refusal:
            assert refusal.status == 409

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 1
    assert store.get("same") == bytes(outcomes) * 1000
    assert [path.name for path in tmp_path.iterdir()] == ["same.vnt"]


def test_work_without_a_place_is_refused_and_the_place_comes_back() -> None:
    async def crowd() -> list[object]:
        workers, release = Workers(replace(LIMITS, threads=1, waiting=1)), threading.Event()
        first = [asyncio.create_task(workers.run(release.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Refusal, match="too many") as refused:
            await workers.run(release.wait)
        assert refused.value.status == 503
        release.set()
        return [*await asyncio.gather(*first), await workers.run(lambda: "again")]

    assert asyncio.run(crowd()) == [True, True, "again"]


def test_work_given_up_keeps_its_place_until_it_ends() -> None:
    async def wait() -> str:
        workers, release = (
            Workers(replace(LIMITS, threads=1, waiting=0, work_s=0.05)),
            threading.Event(),
        )
        with pytest.raises(Refusal, match="not done within"):
            await workers.run(release.wait)
        with pytest.raises(Refusal, match="too many"):
            await workers.run(release.wait)
        release.set()
        while True:
            try:
                return await workers.run(lambda: "again")
            except Refusal:
                await asyncio.sleep(0.01)

    assert asyncio.run(wait()) == "again"


def test_stuck_work_ends_the_process_and_other_work_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)

    def be_stuck() -> None:
        while not codes:
            time.sleep(0.01)

    async def work() -> None:
        workers = Workers(replace(LIMITS, threads=1, stuck_s=2.0))
        await workers.run(lambda: None)
        await asyncio.sleep(2.2)
        assert codes == []
        await workers.run(be_stuck)

    asyncio.run(work())
    assert codes == [STUCK_EXIT]


@pytest.mark.slow
def test_a_server_under_load_with_hostile_requests() -> None:
    with load.running_server("--workers", "1") as (url, pid):
        report = asyncio.run(load.load(url, pid, requests=100, at_once=8))
    assert report.wrong == []
    assert (len(report.latencies_ms), report.hostile) == (100, 10)
    assert report.passed, str(report)
