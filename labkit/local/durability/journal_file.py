"""The journal: one file of records, each with its length and checksum.

A line of JSON says which format it has, then come the records. One that was not written to its end, because the process
was killed, is cut off; anything else that is not as it was written makes the file :class:`Unreadable`.

Records are pickles, and reading a pickle runs what it says. So the file lies in the state directory, readable and
writable by its owner alone (mode 600), and is read from nowhere else.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MAGIC = "labkit's local cloud"
FORMAT = 1
FRAME = struct.Struct(">III")  # length of the record, its checksum, checksum of these two


class Unreadable(Exception):
    """The file is damaged, or of another format; the message says what was seen."""


class JournalFile:
    """Appends records to the file at *path*; *header* goes into its first line."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path = path
        self._header = header
        self._file: Any = None
        self.size = 0

    def read(self) -> list[bytes]:
        """Return every record of the file; none where there is no file. Then it can be appended to.

        Raises:
            Unreadable: It is damaged, or of another format.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        line, _, rest = content.partition(b"\n")
        self._check(line)
        records, good = _records(rest)
        self._open()
        self.size = len(line) + 1 + good
        self._file.truncate(self.size)
        self._file.seek(self.size)
        return records

    def _check(self, line: bytes) -> None:
        try:
            header = json.loads(line)
            known = header["kind"] == MAGIC and isinstance(header["format"], int)
        except (ValueError, KeyError, TypeError):
            known = False
        if not known:
            raise Unreadable("its first line is damaged")
        for name, wanted in {"format": FORMAT, **self._header}.items():
            if header.get(name) != wanted:
                raise Unreadable(f"its {name} is {header.get(name)}, and this labkit reads {wanted}")

    def _open(self) -> None:
        self._file = open(os.open(self.path, os.O_RDWR | os.O_CREAT | _BINARY, 0o600), "r+b", buffering=0)  # noqa: SIM115

    def append(self, records: Iterable[bytes]) -> None:
        """Add *records* at the end: all of them, or none.

        The operating system has them afterwards: they survive the end of this process, not a power cut.

        Raises:
            OSError: The disk is full, or the file cannot be written.
        """
        data = b"".join(framed(record) for record in records)
        try:
            _write(self._file, data)
        except OSError:
            self._file.truncate(self.size)
            self._file.seek(self.size)
            raise
        self.size += len(data)

    def replace(self, records: Iterable[bytes]) -> None:
        """Begin the file anew with *records*; until all of them are written the old one stays.

        Raises:
            OSError: The disk is full, or the file cannot be written; then the old file goes on.
        """
        unfinished = self.path.with_suffix(".part")
        header = json.dumps({"kind": MAGIC, "format": FORMAT, **self._header}).encode() + b"\n"
        try:
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600), "wb") as file:
                file.write(header)
                for record in records:
                    file.write(framed(record))
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        self.close()  # Windows replaces no file that is open
        try:
            os.replace(unfinished, self.path)
        finally:
            self._open()
            self.size = self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.close()
            self._file = None


_BINARY = getattr(os, "O_BINARY", 0)  # Windows would change line ends


def framed(record: bytes) -> bytes:
    """Return a record as it stands in the file."""
    about = struct.pack(">II", len(record), zlib.crc32(record))
    return about + struct.pack(">I", zlib.crc32(about)) + record


def _records(content: bytes) -> tuple[list[bytes], int]:
    """Return the records of *content*, and where the last whole one ends."""
    records: list[bytes] = []
    at, end = 0, len(content)
    while at + FRAME.size <= end:
        length, checksum, of_both = FRAME.unpack_from(content, at)
        if zlib.crc32(content[at : at + 8]) != of_both:
            raise Unreadable(f"record {len(records) + 1} is damaged")
        if at + FRAME.size + length > end:
            break
        record = content[at + FRAME.size : at + FRAME.size + length]
        if zlib.crc32(record) != checksum:
            raise Unreadable(f"record {len(records) + 1} is damaged")
        records.append(record)
        at += FRAME.size + length
    return records, at


def _write(file: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
