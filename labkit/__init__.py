"""labkit: connect, name, package, wait, show and clean up, so that the cells of a notebook are nothing but boto3."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.cleanup import cleanup
    from labkit.cloud import connect
    from labkit.deployment_package import deployment_package
    from labkit.display import draw_timeline
    from labkit.endpoints import invoke_url, website_url
    from labkit.exceptions import LabkitError, WaitTimeout
    from labkit.follow import follow
    from labkit.inbox import inbox
    from labkit.inventory import inventory
    from labkit.names import name
    from labkit.waiting import wait_until

__version__ = "0.1.0"
__all__ = [
    "LabkitError",
    "WaitTimeout",
    "cleanup",
    "connect",
    "deployment_package",
    "draw_timeline",
    "follow",
    "inbox",
    "inventory",
    "invoke_url",
    "name",
    "wait_until",
    "website_url",
]

# Imported when first used: the local cloud is a part of this package and must start without boto3 and pandas.
_MODULES = {
    "LabkitError": "exceptions",
    "WaitTimeout": "exceptions",
    "connect": "cloud",
    "draw_timeline": "display",
    "invoke_url": "endpoints",
    "name": "names",
    "wait_until": "waiting",
    "website_url": "endpoints",
}


def __getattr__(attribute: str) -> Any:
    if attribute not in __all__:
        raise AttributeError(f"labkit has no {attribute!r}")
    return getattr(importlib.import_module(f"labkit.{_MODULES.get(attribute, attribute)}"), attribute)
