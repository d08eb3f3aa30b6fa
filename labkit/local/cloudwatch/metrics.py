"""The metrics that Lambda, SQS, EventBridge and SNS publish to CloudWatch: per minute, each value and its count.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from labkit.local.api_call import ACCOUNT_ID

MINUTES_KEPT = 24 * 60
MOST_VALUES = 500
MOST_UNNOTED = 10_000  # without durability nobody else takes them away
SAMPLE_SECONDS = 5.0
UNITS = {
    "Duration": "Milliseconds",
    "IteratorAge": "Milliseconds",
    "AsyncEventAge": "Milliseconds",
    "SentMessageSize": "Bytes",
    "PublishSize": "Bytes",
    "ApproximateAgeOfOldestMessage": "Seconds",
}

Values = dict[float, int]


@dataclass(frozen=True, slots=True)
class Publisher:
    """A service that publishes: its *namespace*, the *dimension* of its resources, and how their ARNs go on."""

    namespace: str
    dimension: str
    arn: str


PUBLISHERS = {
    "lambda": Publisher("AWS/Lambda", "FunctionName", "function:"),
    "sqs": Publisher("AWS/SQS", "QueueName", ""),
    "events": Publisher("AWS/Events", "RuleName", "rule/"),
    "sns": Publisher("AWS/SNS", "TopicName", ""),
}
SERVICES = {publisher.namespace: service for service, publisher in PUBLISHERS.items()}


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as CloudWatch names it; *dimension* is ``{}`` for the sum over all functions."""

    namespace: str
    name: str
    dimension: dict[str, str]

    @property
    def unit(self) -> str:
        """Its only unit."""
        return UNITS.get(self.name, "Count")


def account(region: str) -> str:
    """The resource of Lambda's metrics that belong to no single function."""
    return f"arn:aws:lambda:{region}:{ACCOUNT_ID}:account"


class Metrics:
    """Everything that was measured in the last 24 hours.

    *gauges* returns what is measured by looking: ``(resource ARN, metric, value)``. It is asked every five seconds and
    when somebody reads.
    """

    def __init__(self, *, now: Callable[[], float], note: Callable[..., None] = lambda *change: None) -> None:
        self._now, self._note = now, note
        self._unnoted: list[tuple[str, str, int, float]] = []
        self._series: dict[tuple[str, str], dict[int, Values]] = {}
        self._latest: dict[tuple[str, str], float] = {}
        self._sampling: asyncio.Task[None] | None = None
        self.gauges: Callable[[], Iterable[tuple[str, str, float]]] = tuple

    def add(self, resource: str, name: str, value: float = 1.0) -> None:
        """Count one measurement of a resource (its ARN). Called on every message and invocation: keep it short."""
        minute = int(self._now()) // 60
        self._unnoted.append((resource, name, minute, value))
        if len(self._unnoted) >= MOST_UNNOTED:
            self.settings()
        self._count(resource, name, minute, value, 1)
        self._latest[resource, name] = value

    def _count(self, resource: str, name: str, minute: int, value: float, times: int) -> None:
        series = self._series.get((resource, name))
        if series is None:
            series = self._series[resource, name] = {}
        values = series.get(minute)
        if values is None:
            values = series[minute] = {}
            if len(series) > MINUTES_KEPT:
                del series[next(iter(series))]
        if len(values) >= MOST_VALUES and value not in values:
            value = float(f"{value:.2g}")  # thousands of durations a minute: two digits are enough then
        values[value] = values.get(value, 0) + times

    def total(self, resource: str, name: str) -> float:
        """Return the sum of all that is kept of a metric."""
        return sum(
            value * count
            for minute in self._series.get((resource, name), {}).values()
            for value, count in minute.items()
        )

    def latest(self, resource: str, name: str) -> float:
        """Return the newest value of a metric, 0.0 when there is none."""
        return self._latest.get((resource, name), 0.0)

    # --- Gauges -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to look at the gauges."""
        self._sampling = asyncio.create_task(self._sample())

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            self.look()
            self._forget()

    def look(self) -> None:
        """Measure every gauge now."""
        for resource, name, value in self.gauges():
            self.add(resource, name, value)

    def _forget(self) -> None:
        """Drop what nobody has measured for 24 hours: its resource is gone."""
        oldest = int(self._now()) // 60 - MINUTES_KEPT
        for key, series in list(self._series.items()):
            if next(reversed(series), 0) < oldest:
                del self._series[key]
                self._latest.pop(key, None)

    def close(self) -> None:
        """Look no more."""
        if self._sampling:
            self._sampling.cancel()

    # --- Reading ------------------------------------------------------------------------------------------------------

    def known(self, region: str) -> Iterator[Metric]:
        """Yield every metric of a region that was ever measured."""
        seen = set()
        for resource, name in list(self._series):
            _, _, service, where, _, rest = resource.split(":", 5)
            if where != region:
                continue
            publisher = PUBLISHERS[service]
            if rest != "account":
                yield Metric(publisher.namespace, name, {publisher.dimension: rest.removeprefix(publisher.arn)})
            if service == "lambda" and name not in seen:
                seen.add(name)
                yield Metric(publisher.namespace, name, {})

    def minutes(self, metric: Metric, region: str) -> set[int]:
        """Return the minutes in which something was measured of *metric*."""
        return set().union(*self._series_of(metric, region))

    def values(self, metric: Metric, region: str, start: int, end: int) -> Values:
        """Return how often each value of *metric* came in the minutes from *start* to before *end*."""
        found: Values = {}
        for series in self._series_of(metric, region):
            for minute in range(start, end) if end - start < len(series) else [m for m in series if start <= m < end]:
                for value, count in series.get(minute, {}).items():
                    found[value] = found.get(value, 0) + count
        return found

    def _series_of(self, metric: Metric, region: str) -> list[dict[int, Values]]:
        service = SERVICES[metric.namespace]
        publisher = PUBLISHERS[service]
        prefix = f"arn:aws:{service}:{region}:{ACCOUNT_ID}:{publisher.arn}"
        if metric.dimension.keys() == {publisher.dimension}:
            arns = [prefix + metric.dimension[publisher.dimension]]
        elif metric.dimension or service != "lambda":
            arns = []
        elif metric.name == "ConcurrentExecutions":
            arns = [account(region)]
        else:
            arns = [arn for arn, name in self._series if name == metric.name and arn.startswith(prefix)]
        return [self._series[arn, metric.name] for arn in arns if (arn, metric.name) in self._series]

    def snapshot(self) -> dict[str, Any]:
        """Return everything as plain data: how often each value came, per resource, metric and minute."""
        self._unnoted.clear()
        return {
            "measured": [
                [resource, name, minute, value, times]
                for (resource, name), series in self._series.items()
                for minute, values in series.items()
                for value, times in values.items()
            ]
        }

    def settings(self) -> dict[str, Any]:
        """Return nothing; note what was measured since the last time."""
        if self._unnoted:
            measured, self._unnoted = self._unnoted, []
            self._note([[*one, 1] for one in measured])
        return {}

    @staticmethod
    def replay(state: dict[str, Any], measured: list[list[Any]]) -> None:
        """Add to a snapshot what was noted."""
        state["measured"] += measured

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        for resource, name, minute, value, times in state["measured"]:
            self._count(str(resource), str(name), int(minute), float(value), int(times))
