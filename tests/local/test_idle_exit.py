"""When a local cloud that nobody uses ends itself."""

from __future__ import annotations

import pytest

from labkit.local.__main__ import idle_exit

HUB = {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"}


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0),
        ({"LABKIT_IDLE_EXIT": "60"}, 60),
        (HUB, 3600),
        ({**HUB, "LABKIT_IDLE_EXIT": "7200"}, 7200),
        ({**HUB, "LABKIT_IDLE_EXIT": "0"}, 0),
    ],
)
def test_it_ends_after_an_idle_hour_on_a_hub_and_elsewhere_when_told(environment, seconds):
    """A hub ends a person's server and kernels; of the local cloud, which outlives kernels, it knows nothing."""
    assert idle_exit(environment) == seconds
