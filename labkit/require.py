"""Tell what a notebook needs and does not find: never built, lost with the state, or built on another cloud."""

from __future__ import annotations

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
            started empty, was removed, or was built on another cloud; and the command that helps.
    """
    needed = course.needed_by(numbers)
    missing = [part for part in PARTS if part.notebook in needed and part.look().state == State.MISSING]
    if missing:
        raise LabkitError(f"{_message(missing, numbers)}; see docs/troubleshooting.md#missing")


def where() -> dict[str, str]:
    """Return where this kernel builds: cloud, lab and region, and which state of the local cloud since it was empty."""
    chosen = settings()
    instance = chosen["endpoint"]
    if chosen["cloud"] == "local":
        instance = local_cloud()["state_id"][:12]
    return {**{key: chosen[key] for key in ("cloud", "lab_id", "region")}, "instance": instance}


def _message(missing: list[Part], numbers: tuple[str, ...]) -> str:
    lacking = sorted({part.notebook for part in missing})
    names = ", ".join(part.title for part in missing[:4]) + (" …" if len(missing) > 4 else "")
    here, first = where(), lacking[0]
    built: dict[str, Any] = progress_file.read()["notebooks"].get(first, {}).get("built", {})
    target = course.first_that_needs(numbers)
    one = f"missing: {names} (made in {' and '.join(lacking)})"
    run = f"run {' and '.join(lacking)}"
    build = run
    if target:
        build += f", or in a terminal: labkit catch-up {target}, or in a cell: labkit.catch_up({target!r})"
    if built and (built["cloud"], built["region"]) != (here["cloud"], here["region"]):
        key = "cloud" if built["cloud"] != here["cloud"] else "region"
        return (
            f"{one}; you are on {here[key]}, and {first} was built on {built[key]}; to build it here {build}; "
            f"to go back: labkit.choose_settings(cloud={built['cloud']!r}, region={built['region']!r}), "
            "restart the kernel, run set-up"
        )
    if built and built["lab_id"] != here["lab_id"]:
        return (
            f"{one}; this is lab {here['lab_id']}, and {first} was built in lab {built['lab_id']}; to build it here "
            f"{build}; to go back: labkit.choose_settings(lab_id={built['lab_id']!r}), restart the kernel, run set-up"
        )
    if built and built["instance"] != here["instance"]:
        return f"{one}; the local cloud was started empty since, it all went with that; to build it again {build}"
    if built:
        return f"{one}; it was built here, and has been removed since; to build it again {build}"
    return f"{one}; it was never built here; {build}"
