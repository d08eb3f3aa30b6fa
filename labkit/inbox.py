"""Read the mails of the local cloud."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from labkit import local_process
from labkit.cloud import local_cloud, settings
from labkit.exceptions import LabkitError


def inbox(address: str | None = None) -> list[dict[str, str]]:
    """Return the mails in the local cloud's inbox, newest first.

    Args:
        address: Only mails to this address.

    Returns:
        One ``{"from", "to", "subject", "date", "body"}`` per mail.

    Raises:
        LabkitError: This kernel is on AWS, where mails arrive at the real address; or no local cloud runs.
    """
    if settings()["cloud"] != "local":
        raise LabkitError("mails of AWS arrive at the real address: open your own inbox")
    query = urlencode({"format": "json", **({"address": address} if address else {})})
    return list(json.loads(local_process.request(local_cloud(), f"/_labkit/inbox?{query}")))
