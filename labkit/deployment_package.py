"""Zip a function's folder as Lambda wants it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from labkit.exceptions import LabkitError

LARGEST = 50 * 1024 * 1024
CODE = (".py", ".js", ".mjs", ".cjs")
LEFT_OUT = ("event.json", "__pycache__")


def deployment_package(folder: str | Path) -> bytes:
    """Zip a function's folder, so that the same content always gives the same bytes.

    Args:
        folder: A folder with ``lambda_function.py`` or ``index.mjs``. ``event.json``, caches and hidden files are left
            out.

    Returns:
        The zip, for ``create_function(Code={"ZipFile": …})``.

    Raises:
        LabkitError: The folder does not exist, holds no Python or JavaScript file, or is larger than Lambda's 50 MB.

    See Also:
        https://docs.aws.amazon.com/lambda/latest/dg/python-package.html
    """
    root = Path(folder)
    if not root.is_dir():
        raise LabkitError(
            f"there is no folder {root}; give the folder of a function, such as ../lambdas/ProductVisitHandler"
        )
    files = sorted(path for path in root.rglob("*") if path.is_file() and _belongs(path.relative_to(root)))
    if not any(path.suffix in CODE for path in files):
        raise LabkitError(
            f"{root} holds no Python or JavaScript file; a function needs a lambda_function.py or an index.mjs in its "
            "folder"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            member = zipfile.ZipInfo(path.relative_to(root).as_posix(), date_time=(2020, 1, 1, 0, 0, 0))
            member.external_attr = 0o644 << 16
            member.create_system = 3
            archive.writestr(member, path.read_bytes(), zipfile.ZIP_DEFLATED)
    package = buffer.getvalue()
    if len(package) > LARGEST:
        raise LabkitError(f"the zip of {root} has {len(package):,} bytes; Lambda takes up to {LARGEST:,} directly")
    return package


def _belongs(path: Path) -> bool:
    return not any(part in LEFT_OUT or part.startswith(".") for part in path.parts)
