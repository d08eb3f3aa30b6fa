"""The checks that Python's library does not have, beside one that it has."""

from __future__ import annotations

import zlib

import pytest

from labkit.local.crc import BLOCK, SHORT, crc, crc32c, crc64nvme

DIGITS = b"123456789"
LENGTHS = [
    0,
    1,
    9,
    SHORT - 1,
    SHORT,
    *range(SHORT + 1, SHORT + 20),
    1000,
    4096,
    BLOCK - 1,
    BLOCK,
    BLOCK + 1,
    3 * BLOCK + 5,
]


def test_the_digits_have_the_published_checks():
    """Sources: RFC 3720 and the catalogue of parametrised CRC algorithms (CRC-32/ISCSI, CRC-64/NVME)."""
    assert (crc32c(DIGITS), crc64nvme(DIGITS)) == (bytes.fromhex("e3069283"), bytes.fromhex("ae8b14860a799888"))


@pytest.mark.parametrize("length", LENGTHS)
def test_a_text_of_any_length_is_folded_as_zlib_reads_it(length):
    """With the polynomial of CRC32 the same code must say what zlib says."""
    text = (DIGITS * (length // 9 + 1))[:length]

    assert crc(text, 0xEDB88320, 32) == zlib.crc32(text)


@pytest.mark.parametrize("length", LENGTHS)
def test_one_bit_changes_the_check_of_64_bits(length):
    """Folding loses nothing: what two texts that differ in one bit leave differs by what that bit alone leaves."""
    text, zeros = (DIGITS * (length // 9 + 1))[:length] + b"\0", bytes(length + 1)

    flipped = text[:-1] + b"\1"

    check = [int.from_bytes(crc64nvme(one)) for one in (text, flipped, zeros, zeros[:-1] + b"\1")]
    assert check[0] ^ check[1] == check[2] ^ check[3] != 0
