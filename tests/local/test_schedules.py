"""Schedules: what AWS accepts, when it is due, and a timer that fires once per due time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.local.eventbridge.event_buses import EventBuses
from labkit.local.eventbridge.rules import Rules
from labkit.local.eventbridge.schedule_expression import InvalidSchedule, next_run
from labkit.local.eventbridge.schedules import Schedules


def epoch(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


PUT, NOW = epoch("2026-01-15T10:00:30"), epoch("2026-01-15T11:02:48")  # a Thursday


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("rate(1 minute)", "2026-01-15T11:03:30"),
        ("rate(5 minutes)", "2026-01-15T11:05:30"),
        ("rate(1 hour)", "2026-01-15T12:00:30"),
        ("rate(2 days)", "2026-01-17T10:00:30"),
        ("cron(* * * * ? *)", "2026-01-15T11:03:00"),
        ("cron(0 10 * * ? *)", "2026-01-16T10:00:00"),
        ("cron(5,35 14 * * ? *)", "2026-01-15T14:05:00"),
        ("cron(0/15 * * * ? *)", "2026-01-15T11:15:00"),
        ("cron(1/10 11 * * ? *)", "2026-01-15T11:11:00"),
        ("cron(0/30 20-23 ? * MON-FRI *)", "2026-01-15T20:00:00"),
        ("cron(0 8 ? * SAT,SUN *)", "2026-01-17T08:00:00"),
        ("cron(0 8 ? * FRI-MON *)", "2026-01-16T08:00:00"),
        ("cron(0 8 ? * 1 *)", "2026-01-18T08:00:00"),
        ("cron(0 8 ? * L *)", "2026-01-17T08:00:00"),
        ("cron(15 10 ? * 6L *)", "2026-01-30T10:15:00"),
        ("cron(0 2 ? * SAT#3 *)", "2026-01-17T02:00:00"),
        ("cron(0 2 ? * MON#5 *)", "2026-03-30T02:00:00"),
        ("cron(0 8 L * ? *)", "2026-01-31T08:00:00"),
        ("cron(0 8 LW * ? *)", "2026-01-30T08:00:00"),
        ("cron(0 8 17W * ? *)", "2026-01-16T08:00:00"),
        ("cron(0 8 1W FEB ? *)", "2026-02-02T08:00:00"),
        ("cron(0 0 29 2 ? *)", "2028-02-29T00:00:00"),
        ("cron(0 12 1 1 ? 2030-2032)", "2030-01-01T12:00:00"),
        ("cron(15 10 ? * 6L 2002-2005)", None),
        ("cron(0 0 30 2 ? *)", None),
    ],
)
def test_a_schedule_is_due_as_its_page_says(expression, due):
    """AWS docs: "Setting a schedule pattern for scheduled rules"; Sunday is 1, times are UTC."""
    found = next_run(expression, PUT)(NOW)

    assert found == (due and epoch(due))


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minutes)", "rate(1 hours)", "rate(10 minute)", "rate(10 seconds)", "rate(10 years)", "rate()",
        "rate(10)", "rate(0 minutes)", "rate(-10 minutes)", "rate(10 MINUTES)", "rate( 10 minutes )",
        " rate(10 minutes)", "rate(foo minutes)", "cron(0 1 * * * *)", "cron(7 20 * * NOT *)", "cron(INVALID)",
        "cron(0 dummy ? * MON-FRI *)", "cron(71 8 1 * ? *)", "cron(0 8 ? * ? *)", "cron(0 8 * * ?)",
        "cron(0 8 32 * ? *)", "cron(0 8 ? * 8 *)", "cron(0 8 ? * MON#6 *)", "cron(0 8 ? * 3#1,6#3 *)",
        "cron(0 8 * * ? 2200)", "cron(1/0 * * * ? *)", "cron(30-10 * * * ? *)", "cron(a/b/c * * * ? *)",
        "cron(, * * * ? *)", "", "every day",
    ],
)  # fmt: skip
def test_what_aws_does_not_accept_is_refused(expression):
    """The first are AWS's recorded refusals, the others break the limits of the same page."""
    with pytest.raises(InvalidSchedule):
        next_run(expression, PUT)


FIELD = st.text(alphabet="0123456789*/-,?LW#MONJA ", max_size=5)


@settings(max_examples=150, deadline=None)
@given(st.lists(FIELD, min_size=5, max_size=7).map(lambda fields: f"cron({' '.join(fields)})") | st.text(max_size=20))
def test_any_text_is_a_schedule_or_is_none(expression):
    """And what is one is due later than now, or never."""
    try:
        following = next_run(expression, PUT)
    except InvalidSchedule:
        return
    due = following(NOW)
    assert due is None or due > NOW


def test_the_timer_fires_each_due_time_once_and_ends_with_its_last_rule():
    """A clock of its own: the minute begins 50 ms from now; a disabled rule does not run."""
    shift = 60 - time.time() % 60 - 0.05
    fired = []

    async def run():
        schedules = Schedules(now=lambda: time.time() + shift, fire=lambda arn, due: fired.append((arn, due)))
        minute = (time.time() + shift) // 60 * 60 + 60
        schedules.put("later", next_run("rate(1 day)", time.time()))
        schedules.put("now", next_run("cron(* * * * ? *)", 0))
        schedules.put("disabled", next_run("cron(* * * * ? *)", 0))
        schedules.remove("disabled")
        await asyncio.sleep(0.15)
        schedules.remove("now")
        schedules.remove("later")
        await asyncio.sleep(0.01)
        return minute, schedules._task.done()

    minute, ended = asyncio.run(run())

    assert (fired, ended) == ([("now", minute)], True)


def test_a_restored_schedule_is_due_when_it_would_have_been():
    """A rate counts from when its rule was put; what was due meanwhile is not made up for."""
    kept = {
        "Name": "r", "Arn": "arn:aws:events:us-east-1:123456789012:rule/r", "ScheduleExpression": "rate(5 minutes)",
        "State": "ENABLED", "EventBusName": "default", "bus": "b", "put_at": PUT, "targets": {}, "tags": {},
    }  # fmt: skip

    async def run():
        schedules = Schedules(now=lambda: NOW, fire=lambda arn, due: None)
        rules = Rules(buses=EventBuses(now=time.time), schedules=schedules, now=time.time)
        rules.restore([kept])
        schedules.close()
        return schedules._due

    assert asyncio.run(run()) == {kept["Arn"]: epoch("2026-01-15T11:05:30")}
