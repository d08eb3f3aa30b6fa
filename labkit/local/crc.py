"""Cyclic redundancy checks that Python's library does not have: CRC32C and CRC64NVME.

Bits are read as S3 reads them, the lowest of each byte first. A number that stands for a polynomial holds the highest
power in its lowest bit.

https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4 (CRC32C)
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import functools

SHORT, BLOCK = 2**8, 2**16  # bytes: what is shorter a table does faster; what is longer leaves the processor's cache


def crc32c(data: bytes) -> bytes:
    """Return the CRC32C of *data*, four bytes."""
    return crc(data, 0x82F63B78, 32).to_bytes(4, "big")


def crc64nvme(data: bytes) -> bytes:
    """Return the CRC64NVME of *data*, eight bytes."""
    return crc(data, 0x9A6C9329AC4BC9B5, 64).to_bytes(8, "big")


def crc(data: bytes, polynomial: int, width: int) -> int:
    """Return what a *polynomial* of *width* bits leaves of *data*, about 100 MB of which take a second."""
    remainder = ones = (1 << width) - 1
    table = _table(polynomial)
    for start in range(0, len(data), BLOCK):
        block = data[start : start + BLOCK]
        if len(block) > SHORT:
            block, remainder = _folded(block, remainder, polynomial, width), 0
        for byte in block:
            remainder = table[(remainder ^ byte) & 0xFF] ^ remainder >> 8
    return remainder ^ ones


def _folded(data: bytes, remainder: int, polynomial: int, width: int) -> bytes:
    """Return a short text that leaves the same remainder as *data* behind one that left *remainder*.

    The head of a text may be put on what stands 2 ** k bits behind it, once it was multiplied by the remainder of
    x ** 2 ** k, and Python multiplies by a short polynomial fast: it shifts the long one, once for each bit.
    """
    rest, bits = int.from_bytes(data, "little") ^ remainder, len(data) * 8
    while bits > SHORT * 8:
        k = (bits - 1).bit_length() - 1
        length = min(bits - 2**k, 2**k - width)
        head, factor = rest & (1 << length) - 1, _power(k, polynomial, width)
        product = 0
        for bit in range(width):
            if factor >> bit & 1:
                product ^= head << bit
        rest, bits = rest >> length ^ product << 2**k - length - width + 1, bits - length
    return rest.to_bytes(bits // 8, "little")


@functools.cache
def _power(k: int, polynomial: int, width: int) -> int:
    """Return the remainder of x ** 2 ** k."""
    if k == 0:
        return 1 << width - 2
    square, root = 0, _power(k - 1, polynomial, width)
    shifted = root
    for power in range(width):
        if root >> width - 1 - power & 1:
            square ^= shifted
        shifted = _times_x(shifted, polynomial)
    return square


@functools.cache
def _table(polynomial: int) -> list[int]:
    table = list(range(256))
    for _ in range(8):
        table = [_times_x(one, polynomial) for one in table]
    return table


def _times_x(remainder: int, polynomial: int) -> int:
    return remainder >> 1 ^ (polynomial if remainder & 1 else 0)
