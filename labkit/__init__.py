"""labkit: connect, name, package, wait, show and clean up, so that the cells of a notebook are nothing but boto3."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.catch_up import catch_up
    from labkit.checks import check
    from labkit.cleanup import cleanup
    from labkit.cloud import connect, time_scale
    from labkit.cost import cost, cost_of_visits
    from labkit.deployment_package import deployment_package
    from labkit.display import draw_timeline, save_figure
    from labkit.doctor import doctor
    from labkit.endpoints import invoke_url, website_url
    from labkit.exceptions import LabkitError, WaitTimeout
    from labkit.execution_log import execution_log
    from labkit.follow import follow
    from labkit.inbox import inbox
    from labkit.inventory import inventory
    from labkit.invocation_lanes import draw_invocations
    from labkit.lane import draw_lane
    from labkit.live_pipeline import live_pipeline
    from labkit.names import name
    from labkit.pipeline import show_pipeline
    from labkit.progress import checkpoint, progress
    from labkit.require import require
    from labkit.restore import restore
    from labkit.settings import choose_settings
    from labkit.synthetic_visits import visits
    from labkit.take_home import take_home, your_numbers
    from labkit.waiting import wait_until

__version__ = "0.1.0"
__all__ = [
    "LabkitError",
    "WaitTimeout",
    "catch_up",
    "check",
    "checkpoint",
    "choose_settings",
    "cleanup",
    "connect",
    "cost",
    "cost_of_visits",
    "deployment_package",
    "doctor",
    "draw_invocations",
    "draw_lane",
    "draw_timeline",
    "execution_log",
    "follow",
    "inbox",
    "inventory",
    "invoke_url",
    "live_pipeline",
    "name",
    "progress",
    "require",
    "restore",
    "save_figure",
    "show_pipeline",
    "take_home",
    "time_scale",
    "visits",
    "wait_until",
    "website_url",
    "your_numbers",
]

# Imported when first used: the local cloud is a part of this package and must start without boto3 and pandas.
_MODULES = {
    "LabkitError": "exceptions",
    "WaitTimeout": "exceptions",
    "check": "checks",
    "checkpoint": "progress",
    "choose_settings": "settings",
    "connect": "cloud",
    "cost_of_visits": "cost",
    "draw_invocations": "invocation_lanes",
    "draw_lane": "lane",
    "draw_timeline": "display",
    "invoke_url": "endpoints",
    "name": "names",
    "save_figure": "display",
    "show_pipeline": "pipeline",
    "time_scale": "cloud",
    "visits": "synthetic_visits",
    "wait_until": "waiting",
    "website_url": "endpoints",
    "your_numbers": "take_home",
}


def __getattr__(attribute: str) -> Any:
    if attribute not in __all__:
        raise AttributeError(f"labkit has no {attribute!r}")
    modules = {one: importlib.import_module(f"labkit.{_MODULES.get(one, one)}") for one in __all__}
    # All at once, since importing a submodule such as labkit.follow also sets the attribute of that name.
    globals().update({one: getattr(module, one) for one, module in modules.items()})
    return globals()[attribute]
