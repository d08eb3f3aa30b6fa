"""Names that any kernel can compute again."""

from __future__ import annotations

from labkit.cloud import settings
from labkit.exceptions import LabkitError

LONGEST = 63


def name(base: str, *, bucket: bool = False) -> str:
    """Return the name of a resource of this lab.

    Args:
        base: The name in the architecture, such as ``"ProductVisits"``.
        bucket: Bucket names are lower case and hold the account id: they must be free in all of AWS.

    Returns:
        ``ProductVisits-<LAB_ID>``, or for a bucket ``<base>-<LAB_ID>-<account>``.

    Raises:
        LabkitError: The kernel is not connected, or the name is longer than 63 characters.
    """
    chosen = settings()
    full = f"{base}-{chosen['lab_id']}"
    if bucket:
        full = f"{full}-{chosen['account']}".lower()
    if len(full) > LONGEST:
        raise LabkitError(f"the name {full} has {len(full)} characters, {LONGEST} are allowed; choose a shorter LAB_ID")
    return full
