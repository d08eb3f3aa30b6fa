"""Deployment packages: checked and unpacked.

https://docs.aws.amazon.com/lambda/latest/dg/python-package.html
"""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import zipfile
from pathlib import Path, PurePosixPath

from labkit.local.api_call import AwsError

LARGEST_UNZIPPED = 262_144_000


def code_sha256(package: bytes) -> str:
    """Return the hash that Lambda shows for a package."""
    return base64.b64encode(hashlib.sha256(package).digest()).decode()


def unpack(package: bytes, folder: Path) -> Path:
    """Unpack a zip into *folder* (once per content) and return the task root.

    Raises:
        AwsError: ``InvalidParameterValueException`` for something that is no zip, is too large, or has a member that
            would land outside of the task root.
    """
    task_root = folder / hashlib.sha256(package).hexdigest()[:32]
    if task_root.is_dir():
        return task_root
    try:
        archive = zipfile.ZipFile(io.BytesIO(package))
    except zipfile.BadZipFile:
        raise _refused("Could not unzip uploaded file. Please check your file, then try to upload again.") from None
    with archive:
        if sum(member.file_size for member in archive.infolist()) > LARGEST_UNZIPPED:
            raise _refused(f"Unzipped size must be smaller than {LARGEST_UNZIPPED} bytes")
        for member in archive.infolist():
            parts = PurePosixPath(member.filename.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or ":" in member.filename:
                raise _refused(f"The zip has a member outside of its own folder: {member.filename!r}.")
        unfinished = task_root.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            archive.extractall(unfinished)
        except (zipfile.BadZipFile, OSError, RuntimeError) as error:
            raise _refused(f"Could not unzip uploaded file: {error}") from error
    unfinished.rename(task_root)
    return task_root


def _refused(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message, 400)
