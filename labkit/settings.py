"""The five settings of the course: chosen once in notebook 00, the same in every notebook afterwards."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from labkit import local_process
from labkit.exceptions import LabkitError

CLOUDS = ("local", "endpoint", "aws")
SIZES = ("small", "normal")
LAB_ID = re.compile(r"[a-z][a-z0-9-]{0,18}[a-z0-9]")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
DEFAULTS = {
    "cloud": "local",
    "lab_id": "lab",
    "region": "us-east-1",
    "email": "learner@example.com",
    "size": "normal",
}


def choose_settings(
    *,
    lab_id: str | None = None,
    region: str | None = None,
    cloud: str | None = None,
    email: str | None = None,
    size: str | None = None,
) -> dict[str, str]:
    """Keep settings for all notebooks, in ``.labkit/settings.json``; what is ``None`` stays as it is.

    Args:
        lab_id: The name that keeps labs in one account apart; 2 to 20 lower-case letters, digits, hyphens.
        region: The AWS region.
        cloud: ``"local"``, ``"endpoint"`` or ``"aws"``.
        email: Where the alert of notebook 09 goes.
        size: ``"small"`` or ``"normal"``: how many visits a burst or data set has.

    Returns:
        All five: ``{"cloud", "lab_id", "region", "email", "size"}``.

    Raises:
        LabkitError: A value is not valid; nothing is kept then.
    """
    given = {"cloud": cloud, "lab_id": lab_id, "region": region, "email": email, "size": size}
    wanted = kept_settings() | {key: value for key, value in given.items() if value not in (None, "")}
    chosen = DEFAULTS | wanted
    check_settings(chosen)
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)
    return chosen


def resolve_settings(given: dict[str, Any]) -> dict[str, str]:
    """Return the five settings: as given, else of the environment, else as kept, else the default.

    Args:
        given: Keys ``cloud``, ``lab_id``, ``region``, ``email``, ``size``; ``None`` or ``""`` means "as chosen in 00".

    Raises:
        LabkitError: A value is not valid, or on AWS one is missing.
    """
    kept = kept_settings()
    chosen = {
        key: given.get(key) or os.environ.get(f"LABKIT_{key.upper()}") or kept.get(key) or default
        for key, default in DEFAULTS.items()
    }
    check_settings(chosen)
    return chosen


def kept_settings() -> dict[str, str]:
    """Return what :func:`choose_settings` kept; ``{}`` when nothing was chosen yet.

    Raises:
        LabkitError: The file cannot be read.
    """
    path = _path()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise LabkitError(f"{path} cannot be read ({error}); mend or delete it, then run notebook 00 again") from None
    if not isinstance(content, dict):
        raise LabkitError(f"{path} holds no settings but {content!r}; delete it, then run notebook 00 again")
    return {key: content[key] for key in DEFAULTS if content.get(key)}


def check_settings(chosen: dict[str, Any]) -> None:
    """Refuse a setting that could not work.

    Raises:
        LabkitError: The message names the setting, its value and what is allowed.
    """
    for key, value in chosen.items():
        if not isinstance(value, str):
            raise LabkitError(f"{key.upper()} is {value!r}, a {type(value).__name__}; it must be text in quotes")
    if chosen["cloud"] not in CLOUDS:
        raise LabkitError(f"CLOUD is {chosen['cloud']!r}; choose one of: {', '.join(CLOUDS)}")
    if not LAB_ID.fullmatch(chosen["lab_id"]):
        raise LabkitError(
            f"LAB_ID is {chosen['lab_id']!r}; use 2 to 20 lower-case letters, digits and hyphens, a letter first"
        )
    if not REGION.fullmatch(chosen["region"]):
        raise LabkitError(f"REGION is {chosen['region']!r}; a region looks like us-east-1")
    if not EMAIL.fullmatch(chosen["email"]):
        raise LabkitError(f"EMAIL is {chosen['email']!r}; an address looks like ada@example.com")
    if chosen["size"] not in SIZES:
        raise LabkitError(f"SIZE is {chosen['size']!r}; choose one of: {', '.join(SIZES)}")
    if chosen["cloud"] == "aws" and chosen["lab_id"] == DEFAULTS["lab_id"]:
        raise LabkitError(
            "on real AWS choose a LAB_ID of your own (not lab), so that nobody else's resources are touched: "
            'labkit.choose_settings(lab_id="…"); see docs/troubleshooting.md#lab-id-of-your-own'
        )
    if chosen["cloud"] == "aws" and chosen["email"] == DEFAULTS["email"]:
        raise LabkitError(
            f"EMAIL is the placeholder {chosen['email']}, and on real AWS the alert of notebook 09 goes to a real "
            'address: labkit.choose_settings(email="…")'
        )


def _path() -> Path:
    return local_process.state_dir() / "settings.json"
