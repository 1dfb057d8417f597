"""Streams and manifests that somebody wrote who knows the format and means no good."""

import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from tests.robustness.subjects import forged, payloads
from venturi._format import container

SIDES = (1, 2, 63, 64, 65, 100, 200, 1024, 1025, 2000, 65535, 65536, 2**32 - 1)
NUMBERS = (0, 1, 127, 128, 255, 256, 12800, 25600, 25601, 65535, 65536, 2**31, 2**32 - 1)
ROWS = (b"\x01", b"\x02", b"\x05", b"\x7f")
ESCAPES = (b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\x1f", b"\x00\x80\x80\x80\x00")
FLOATS = (b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\x7f\x7f", b"\xff" * 4, bytes(4))
"""Not a number, infinity, the largest, and two that are easily taken for something else."""

VALUES: tuple[object, ...] = (
    None, True, 0, 1, -1, 2**31, 2**63, 10**400, 0.5, 1e308, "", "x", "../x", "a" * 300,
    "a" * 64, "\0", "é", [], [1], {}, {"path": "decoder.onnx"},
)  # fmt: skip


class StreamMutator:
    """Makes hostile streams of good ones: bytes, fields and parts of payloads change."""

    def __init__(self, good: Sequence[bytes], seed: int) -> None:
        self._good = good
        self._headers = [container.read_header(data).header for data in good]
        self._payloads = [payloads(data) for data in good]
        self._random = random.Random(seed)

    def __call__(self) -> bytes:
        """Return the next stream."""
        make = self._random.choices(
            (self._noise, self._damaged, self._lying), weights=(1, 3, 6), k=1
        )[0]
        return make()

    def _noise(self) -> bytes:
        """Nothing but chance, at times after a good beginning."""
        noise = self._random.randbytes(self._random.randrange(80))
        return self._random.choice((b"", b"VNT", b"VNT\x01", b"VNT\x01\x00")) + noise

    def _damaged(self) -> bytes:
        """A good stream, changed as disks and networks change bytes."""
        data = self._random.choice(self._good)
        for _ in range(self._random.randint(1, 3)):
            data = self._changed(data)
        return data

    def _lying(self) -> bytes:
        """Fields and payloads changed with knowledge, and every checksum right."""
        at = self._random.randrange(len(self._good))
        header, chunks = self._headers[at], list(self._payloads[at])
        numbers = [header.quality_q8, header.width, header.height]
        if self._random.random() < 0.4:
            place = self._random.randrange(3)
            numbers[place] = self._random.choice(SIDES if place else NUMBERS)
        for _ in range(self._random.randint(0, 2)):
            place = self._random.randrange(len(chunks))
            chunks[place] = self.payload(chunks[place])
        lengths = [len(chunk) for chunk in chunks]
        if self._random.random() < 0.1:
            lengths[self._random.randrange(len(lengths))] = self._random.choice(NUMBERS)
        rare = self._random.random() < 0.05
        return forged(
            (*numbers, *lengths),
            chunks,
            version=self._random.choice((1, 1, 2, 255)) if rare else 1,
            flags=self._random.choice((0, 1, 2, 255)) if rare else int(header.grey),
            fingerprint=self._random.randbytes(8) if rare else header.fingerprint,
        )

    def payload(self, payload: bytes) -> bytes:
        """Change the head, the rows, the states, the words or the escapes of a payload."""
        start = self._random.randrange(1, min(len(payload), 24) + 2)
        place = self._random.randrange(len(payload) + 1)
        head, rest = payload[:1] or b"\0", payload[1:]
        changes: tuple[Callable[[], bytes], ...] = (
            lambda: self._random.randbytes(1) + rest,  # lanes, escapes, bytes of a state
            lambda: payload[:start] + self._random.randbytes(2) + payload[start + 2 :],
            lambda: payload[:start] + self._random.choice(ROWS) + payload[start + 1 :],
            lambda: payload[:start] + bytes(4) + payload[start + 4 :],  # states
            lambda: bytes([head[0] | 16, 0]) + rest[head[0] >> 4 & 1 :],  # escapes that are none
            lambda: payload[:-5] + self._random.choice(ESCAPES),
            lambda: payload[:place] + self._random.choice((b"", b"\xff\xff" * 40)),  # words
            lambda: self._random.choice(self._random.choice(self._payloads)),  # another stream's
            lambda: self._changed(payload),
        )
        return self._random.choice(changes)()

    def _changed(self, data: bytes) -> bytes:
        """Flip, insert, remove, repeat or overwrite some bytes."""
        place = self._random.randrange(len(data) + 1)
        size = self._random.choice((1, 1, 1, 2, 4, 16))
        changes: tuple[Callable[[], bytes], ...] = (
            lambda: bytes([(data or b"x")[place - 1] ^ 1 << self._random.randrange(8)]),
            lambda: self._random.randbytes(size),
            lambda: data[place : place + size] * 2,
            lambda: b"\xff" * size,
        )
        taken = self._random.choice((0, 1, size))
        return data[:place] + self._random.choice(changes)() + data[place + taken :]


class ManifestMutator:
    """Makes hostile manifests of a good one: values, keys and bytes change."""

    def __init__(self, good: str, seed: int) -> None:
        self._good = good
        self._random = random.Random(seed)

    def __call__(self) -> bytes:
        """Return the next manifest."""
        if self._random.random() < 0.4:
            return self._damaged(self._good.encode())
        values = json.loads(self._good)
        for _ in range(self._random.randint(1, 3)):
            self._change(values)
        text = json.dumps(values, ensure_ascii=self._random.random() < 0.5)
        if self._random.random() < 0.1:
            text = text.replace("{", self._random.choice(('{"name": "x", ', "{ ,", "[{")), 1)
        return text.encode(errors="surrogatepass")

    def _damaged(self, data: bytes) -> bytes:
        for _ in range(self._random.randint(1, 4)):
            place = self._random.randrange(len(data) + 1)
            taken = self._random.choice((0, 1, 1, 9, 200))
            put = self._random.choice((b"", b"\xff", b"[", b'"', b"9" * 30, b"1e999", b"NaN"))
            data = data[:place] + put + data[place + taken :]
        return data

    def _change(self, values: dict[str, Any]) -> None:
        """Change a value, remove a key or add one, at any depth."""
        inside = [values, *(part for part in values.values() if isinstance(part, dict))]
        inside += [entry for part in inside[1:] for entry in part.values() if _is_dict(entry)]
        target = self._random.choice(inside)
        if not target:
            target["extra"] = 1
            return
        key = self._random.choice(list(target))
        kind = self._random.randrange(4)
        if kind == 0:
            del target[key]
        elif kind == 1:
            target[self._random.choice(("", "extra", "é", "name", key * 2))] = copy.deepcopy(
                target[key]
            )
        elif kind == 2:
            target[key] = copy.deepcopy(self._random.choice(VALUES))
        else:
            target[key] = copy.deepcopy(self._random.choice(list(target.values())))


def _is_dict(value: object) -> bool:
    return isinstance(value, dict)


class FileMutator:
    """Changes a graph or tables so that much of it is left: bytes, numbers and names."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def __call__(self, data: bytes) -> bytes:
        """Return another file."""
        changed = bytearray(data)
        for _ in range(self._random.randint(1, 3)):
            self._change(changed)
        return bytes(changed)

    def _change(self, data: bytearray) -> None:
        chance = self._random
        place = chance.randrange(len(data))
        kind = chance.randrange(5)
        if kind == 0:
            data[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[place] = chance.choice((0, 1, 2, 3, 7, 8, 127, 128, 255))
        elif kind == 2:
            data[place : place + chance.randint(0, 4)] = chance.randbytes(chance.randint(0, 4))
        elif kind == 3:
            data[place : place + 4] = chance.choice(FLOATS)
        else:  # inside a name, most likely
            name = data.find(chance.choice((b"\x0a", b"\x12", b"\x1a", b"\x22")), place) + 2
            data[name : name + 1] = chance.randbytes(1)
