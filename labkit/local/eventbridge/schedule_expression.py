"""When a scheduled rule runs: ``rate(5 minutes)`` and ``cron(0 10 ? * MON-FRI *)``, in UTC.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

Next = Callable[[float], float | None]

UNITS = {"minute": 60, "hour": 3600, "day": 86_400}
RATE = re.compile(r"rate\(([0-9]{1,9}) (minute|hour|day)(s?)\)")
FIELDS = re.compile(r"cron\(\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*\)")
MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
FIRST_YEAR, LAST_YEAR = 1970, 2199


class InvalidSchedule(ValueError):
    """The expression is not one of AWS's."""


def next_run(expression: str, since: float) -> Next:
    """Return what tells when the rule runs next after a time, both in epoch seconds; ``None``: never again.

    Args:
        expression: As PutRule takes it.
        since: When the rule was put; a rate counts from there.

    Raises:
        InvalidSchedule: AWS would refuse it.
    """
    if found := RATE.fullmatch(expression):
        count, unit, plural = int(found[1]), found[2], found[3]
        if count < 1 or (count == 1) == bool(plural):
            raise InvalidSchedule(expression)
        interval = count * UNITS[unit]
        return lambda now: since + (max(0, int((now - since) // interval)) + 1) * interval
    if found := FIELDS.fullmatch(expression):
        return _Cron([field.upper() for field in found.groups()]).next
    raise InvalidSchedule(expression)


class _Cron:
    """The six fields, compiled: sets of numbers, and a test of a day."""

    def __init__(self, fields: Sequence[str]) -> None:
        minutes, hours, day_of_month, month, day_of_week, year = fields
        if (day_of_month == "?") == (day_of_week == "?"):
            raise InvalidSchedule("one of day-of-month and day-of-week must be ?")
        self._minutes, self._hours = sorted(_numbers(minutes, 0, 59)), sorted(_numbers(hours, 0, 23))
        self._months = sorted(_numbers(month, 1, 12, MONTHS))
        self._years = sorted(_numbers(year, FIRST_YEAR, LAST_YEAR))
        self._is_day = _weekday_test(day_of_week) if day_of_month == "?" else _month_day_test(day_of_month)

    def next(self, now: float) -> float | None:
        """Return the first minute after *now* that all fields allow."""
        start = datetime.fromtimestamp(now, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        for year in (year for year in self._years if year >= start.year):
            for month in (month for month in self._months if (year, month) >= (start.year, start.month)):
                for number in range(1, calendar.monthrange(year, month)[1] + 1):
                    day = date(year, month, number)
                    if day >= start.date() and self._is_day(day) and (found := self._within(day, start)):
                        return found.timestamp()
        return None

    def _within(self, day: date, start: datetime) -> datetime | None:
        for hour in self._hours:
            for minute in self._minutes:
                at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
                if at >= start:
                    return at
        return None


def _numbers(field: str, lowest: int, highest: int, names: dict[str, int] | None = None) -> set[int]:
    """Expand ``*``, ``5``, ``1-5``, ``0/15``, ``MON`` and lists of these."""
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            start, end = lowest, highest
        else:
            start = _number(first, lowest, highest, names)
            end = _number(last, lowest, highest, names) if dash else (highest if slash else start)
        every = _number(step, 1, highest) if slash else 1
        if start > end and not names:
            raise InvalidSchedule(f"{part!r} ends before it begins")
        if start > end:  # FRI-MON: over the end, and on from the start
            end += highest - lowest + 1
        found |= {(one - lowest) % (highest - lowest + 1) + lowest for one in range(start, end + 1, every)}
    return found


def _number(text: str, lowest: int, highest: int, names: dict[str, int] | None = None) -> int:
    number = (names or {}).get(text, -1)
    if re.fullmatch("[0-9]{1,4}", text):
        number = int(text)
    if not lowest <= number <= highest:
        raise InvalidSchedule(f"{text!r} is not from {lowest} to {highest}")
    return number


def _month_day_test(field: str) -> Callable[[date], bool]:
    """Compile ``L`` (the last day), ``LW`` and ``15W`` (the weekday nearest to it), or numbers."""
    if field == "L":
        return lambda day: day.day == _last(day)
    if field == "LW":
        return lambda day: day.day == _nearest_weekday(day, _last(day))
    if field.endswith("W"):
        wanted = _number(field[:-1], 1, 31)
        return lambda day: wanted <= _last(day) and day.day == _nearest_weekday(day, wanted)
    numbers = _numbers(field, 1, 31)
    return lambda day: day.day in numbers


def _weekday_test(field: str) -> Callable[[date], bool]:
    """Compile ``L`` (Saturday), ``6L`` (the last Friday), ``3#2`` (the second Tuesday), or numbers; Sunday is 1."""
    if field == "L":
        return lambda day: _weekday(day) == WEEKDAYS["SAT"]
    if field.endswith("L"):
        wanted = _number(field[:-1], 1, 7, WEEKDAYS)
        return lambda day: _weekday(day) == wanted and day.day + 7 > _last(day)
    if "#" in field:
        name, _, instance = field.partition("#")
        wanted, number = _number(name, 1, 7, WEEKDAYS), _number(instance, 1, 5)
        return lambda day: _weekday(day) == wanted and (day.day + 6) // 7 == number
    numbers = _numbers(field, 1, 7, WEEKDAYS)
    return lambda day: _weekday(day) in numbers


def _weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1


def _last(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(day: date, wanted: int) -> int:
    at, last = day.replace(day=wanted), _last(day)
    if _weekday(at) == WEEKDAYS["SAT"]:
        return wanted - 1 if wanted > 1 else 3
    if _weekday(at) == WEEKDAYS["SUN"]:
        return wanted + 1 if wanted < last else wanted - 2
    return wanted
