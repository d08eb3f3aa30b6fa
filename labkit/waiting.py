"""Wait for what boto3 has no waiter for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from labkit.exceptions import WaitTimeout

T = TypeVar("T")


def wait_until(probe: Callable[[], T], *, what: str, timeout: float = 30.0, interval: float = 0.5) -> T:
    """Call *probe* until it returns something truthy, and return that.

    Use it only where boto3 has no waiter of its own.

    Args:
        probe: Called without arguments every *interval* seconds; a falsy return means "not yet".
        what: What is awaited, as it should read in the error message, e.g. ``"a message on the DLQ"``.
        timeout: Longest total wait, in seconds.
        interval: Pause between two calls, in seconds.

    Returns:
        The first truthy value that *probe* returned, unchanged.

    Raises:
        WaitTimeout: *probe* was still falsy after *timeout* seconds. The message names *what*, the time waited and the
            last value seen.

    See Also:
        https://docs.aws.amazon.com/boto3/latest/guide/clients.html#waiters
    """
    deadline = time.monotonic() + timeout
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise WaitTimeout(
                f"{what} did not come within {timeout:g} s; the last answer was {value!r}; "
                "see docs/troubleshooting.md#did-not-come"
            )
        time.sleep(interval)
