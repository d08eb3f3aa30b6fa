"""What labkit itself raises. AWS's own errors reach the caller untouched, as ``botocore.exceptions.ClientError``."""

from __future__ import annotations


class LabkitError(Exception):
    """Something labkit cannot do; the message says what happened, what was seen, and what to do."""


class WaitTimeout(LabkitError):
    """Something that was awaited did not come in time."""
