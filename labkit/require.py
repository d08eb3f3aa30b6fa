"""Tell what a notebook needs and does not find: never built, lost with the local cloud, or built on another cloud."""

from __future__ import annotations

import hashlib
from typing import Any

from labkit import course, progress_file
from labkit.cloud import local_cloud, settings
from labkit.exceptions import LabkitError
from labkit.parts import PARTS, Part, State


def require(*numbers: str) -> None:
    """Check that what the notebooks *numbers* make is there, by reading it from the cloud; silent when it is.

    Args:
        numbers: Notebooks, such as ``"03", "05"``; what these need themselves is checked too.

    Raises:
        LabkitError: Something is missing. The message tells whether it was never built, went when the local cloud was
            restarted, was removed, or was built on another cloud; and the command that helps.
    """
    needed = course.needed_by(numbers)
    missing = [part for part in PARTS if part.notebook in needed and part.look().state == State.MISSING]
    if missing:
        raise LabkitError(_message(missing, numbers))


def where() -> dict[str, str]:
    """Return where this kernel builds: cloud, lab and region, and which run of the local cloud."""
    chosen = settings()
    instance = chosen["endpoint"]
    if chosen["cloud"] == "local":
        instance = hashlib.sha256(f"{local_cloud()['token']}{local_cloud()['pid']}".encode()).hexdigest()[:12]
    return {**{key: chosen[key] for key in ("cloud", "lab_id", "region")}, "instance": instance}


def _message(missing: list[Part], numbers: tuple[str, ...]) -> str:
    lacking = sorted({part.notebook for part in missing})
    names = ", ".join(part.title for part in missing[:4]) + (" …" if len(missing) > 4 else "")
    here, first = where(), lacking[0]
    built: dict[str, Any] = progress_file.read()["notebooks"].get(first, {}).get("built", {})
    target = course.first_that_needs(numbers) or first
    command = f"labkit catch-up {target}"
    one = f"{names} (notebook{'s' if len(lacking) > 1 else ''} {', '.join(lacking)})"
    if built and (built["cloud"], built["region"]) != (here["cloud"], here["region"]):
        place = built["cloud"] if built["cloud"] != here["cloud"] else built["region"]
        return (
            f"you are on {here['cloud'] if built['cloud'] != here['cloud'] else here['region']}; "
            f"{first} was built on {place}, so here is no {one}; "
            f"build it here: {command}, or go back: labkit.choose_settings(cloud={built['cloud']!r}, "
            f"region={built['region']!r}), restart the kernel and run set-up again"
        )
    if built and built["lab_id"] != here["lab_id"]:
        return (
            f"this kernel works in lab {here['lab_id']}; {first} was built in lab {built['lab_id']}, "
            f"so here is no {one}; build it here: {command}, or go back: "
            f"labkit.choose_settings(lab_id={built['lab_id']!r}), restart the kernel and run set-up again"
        )
    if built and built["instance"] != here["instance"]:
        return (
            f"the local cloud was restarted and is empty: {one} went with it; "
            f"build it again in a few seconds: {command} (in a terminal), or labkit.catch_up({target!r}) in a cell"
        )
    if built:
        return f"{one} was built here, and has been removed since; build it again: run {first}, or: {command}"
    return (
        f"{one} was never built here; run {' and '.join(lacking)} first, "
        f"or let it be built: {command} (in a terminal), or labkit.catch_up({target!r}) in a cell"
    )
