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
    described = local_cloud()
    mails = list(json.loads(local_process.request(described, f"/_labkit/inbox?{query}")))
    public = str(described.get("public_url", ""))
    if "://" in public:  # its own links, as this kernel can open them; behind a proxy a browser has others
        mails = [
            mail | {"body": mail["body"].replace(f"{public}/_labkit/", f"{described['endpoint']}/_labkit/")}
            for mail in mails
        ]
    return mails
