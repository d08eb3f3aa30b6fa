"""Zips of functions and layers: checked while they are unpacked, since nobody knows who made them.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import lzma
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.lambda_runtime.names import invalid

LARGEST_ZIPPED = 52_428_800
LARGEST_UNZIPPED = 262_144_000
PIECE = 2**20
LONGEST_LINK = 4096
OUR_OWN_TROUBLE = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EMFILE)
NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, OSError, RuntimeError, ValueError, EOFError,
    IndexError, OverflowError, MemoryError,
)  # fmt: skip


def code_sha256(package: bytes) -> str:
    """Return the hash that Lambda shows for a package."""
    return base64.b64encode(hashlib.sha256(package).digest()).decode()


async def package_of(code: dict[str, Any], get_object: Callable[[str, str], Awaitable[Any]]) -> bytes:
    """Return the zip that a call brings, or that it names in S3.

    Raises:
        AwsError: ``InvalidParameterValueException``; ``RequestEntityTooLargeException`` for a zip that is too large to
            be sent directly.
    """
    if code.get("ZipFile"):
        if len(code["ZipFile"]) > LARGEST_ZIPPED:
            text = f"Zipped size must be smaller than {LARGEST_ZIPPED} bytes"
            raise AwsError("RequestEntityTooLargeException", text, 413)
        return bytes(code["ZipFile"])
    if not code.get("S3Bucket"):
        raise invalid("Please provide a source for function code.")
    try:
        stored = await get_object(str(code["S3Bucket"]), str(code.get("S3Key")))
    except AwsError as error:
        raise _not_got(error.code, error.message) from error
    if stored is None:
        raise _not_got("NoSuchKey", "The specified key does not exist.")
    return bytes(stored.body)


def unpack(package: bytes, folder: Path) -> Path:
    """Unpack a zip into *folder* (once per content) and return the task root.

    Raises:
        AwsError: ``InvalidParameterValueException`` for something that is no zip, is too large, or has a member that
            would land outside of the task root.
    """
    return unpack_all([package], folder)


def unpack_all(packages: Iterable[bytes], folder: Path) -> Path:
    """Unpack zips over one another, as the layers of a function are, and return the folder they are in.

    Raises:
        AwsError: as :func:`unpack`.
    """
    packages = list(packages)
    digest = hashlib.sha256(b"".join(hashlib.sha256(package).digest() for package in packages)).hexdigest()
    target = folder / digest[:32]
    if target.is_dir():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix="unpacking-", dir=folder))
    try:
        links: list[Path] = []
        for package in packages:
            Unpacking(package, unfinished, links).run()
        unfinished.chmod(0o755)
        try:
            unfinished.rename(target)
        except OSError:
            if not target.is_dir():  # somebody else was faster
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def unzipped_size(packages: Iterable[bytes]) -> int:
    """Return how many bytes zips that were unpacked before hold."""
    total = 0
    for package in packages:
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            total += sum(member.file_size for member in archive.infolist())
    return total


class Unpacking:
    """One zip on its way into *target*; what it holds is believed only as far as it was read.

    *links* are the symbolic links in *target*: they are made behind all files, so that nothing is written through one
    that was not looked at.
    """

    def __init__(self, package: bytes, target: Path, links: list[Path]) -> None:
        self._package, self._target, self._links = package, target, links
        self._room = LARGEST_UNZIPPED
        self._names: dict[str, set[str]] = {}

    def run(self) -> None:
        """Unpack everything.

        Raises:
            AwsError: ``InvalidParameterValueException``; ``ServiceException`` when this computer cannot store it.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(self._package)) as archive:
                self._take_all(archive)
        except DAMAGED as error:
            if isinstance(error, OSError) and error.errno in OUR_OWN_TROUBLE:
                text = f"The local cloud could not store the unpacked zip: {error}"
                raise AwsError("ServiceException", text, 500, Type="Service") from error
            raise invalid(NOT_A_ZIP) from None

    def _take_all(self, archive: zipfile.ZipFile) -> None:
        members = archive.infolist()
        if sum(member.file_size for member in members) > LARGEST_UNZIPPED:
            raise _too_large()
        for member in members:
            if not _is_link(member):
                self._take(archive, member)
        for member in filter(_is_link, members):
            self._link(archive, member)
        for link in self._links:
            if not link.resolve().is_relative_to(self._target.resolve()):
                raise invalid(f"The zip has a link that leads out of its own folder: {link.name!r}.")

    def _take(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        path = self._path_of(member.filename)
        if member.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            return
        self._make_way(path)
        left = member.file_size
        with archive.open(member) as source, path.open("wb") as file:
            while piece := source.read(PIECE):
                self._room, left = self._room - len(piece), left - len(piece)
                if self._room < 0:
                    raise _too_large()
                file.write(piece)
        if left:
            raise invalid(NOT_A_ZIP)
        if (member.external_attr >> 16) & 0o111:
            path.chmod(0o755)

    def _path_of(self, name: str) -> Path:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in name or not parts.parts:
            raise invalid(f"The zip has a member outside of its own folder: {name!r}.")
        path, same = self._target / parts, self._names.setdefault(name.casefold(), set())
        if same and name not in same and path.is_file():
            raise invalid(f"The zip has two members whose names are the same on this computer: {name!r} and {same}.")
        same.add(name)
        return path

    def _make_way(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            path.unlink()

    def _link(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        path = self._path_of(member.filename)
        self._make_way(path)
        with archive.open(member) as source:
            path.symlink_to(source.read(LONGEST_LINK).decode())
        self._links.append(path)


def _not_got(code: str, message: str) -> AwsError:
    return invalid(f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}")


def _is_link(member: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(member.external_attr >> 16)


def _too_large() -> AwsError:
    return invalid(f"Unzipped size must be smaller than {LARGEST_UNZIPPED} bytes")
