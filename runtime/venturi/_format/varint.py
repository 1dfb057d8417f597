"""Integers as LEB128: 7 bits per byte, lowest first, bit 7 set while more follow.

Only the shortest form of each number is allowed, so that equal containers have equal bytes.
"""

from venturi.errors import StreamError

MAX_VALUE = 2**32 - 1

_DAMAGED = "the bytes are damaged; get the file from its source again"


def write_varint(value: int) -> bytes:
    """Return the bytes of an integer 0..2^32 - 1."""
    assert 0 <= value <= MAX_VALUE
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: memoryview, position: int) -> tuple[int, int]:
    """Return the integer at a position and the position after it.

    Raises:
        StreamError: the data ends inside it, or it is above 2^32 - 1 or longer than needed.
    """
    value = 0
    for count, byte in enumerate(data[position : position + 5]):
        value |= (byte & 127) << 7 * count
        if byte < 128:
            if value > MAX_VALUE or (byte == 0 and count):
                raise StreamError(f"malformed number at byte {position}; {_DAMAGED}")
            return value, position + count + 1
    raise StreamError(f"no end to the number at byte {position} of {len(data)}; {_DAMAGED}")
