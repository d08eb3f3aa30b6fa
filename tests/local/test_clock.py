"""How the local cloud writes times."""

from __future__ import annotations

from labkit.local.clock import iso, iso_milliseconds


def test_times_are_cut_to_what_is_shown():
    """A time that is rounded up would lie in the future."""
    assert iso(1768472999.9996) == "2026-01-15T10:29:59Z"
    assert iso_milliseconds(1768472999.9996) == "2026-01-15T10:29:59.999Z"
    assert iso_milliseconds(0.0, "+0000") == "1970-01-01T00:00:00.000+0000"


def test_a_time_before_the_epoch_is_one_too():
    """A policy or a signature may name any; the standard library's fromtimestamp() fails on Windows."""
    assert iso(-1.0) == "1969-12-31T23:59:59Z"
