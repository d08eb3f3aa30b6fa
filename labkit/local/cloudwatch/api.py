"""CloudWatch for the metrics of our own services: GetMetricStatistics, GetMetricData, ListMetrics. moto has the others.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import ApiCall, AwsError, Forward, HttpResponse, Interceptor
from labkit.local.cloudwatch.metrics import SERVICES, Metric, Metrics, Values

STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
PERCENTILE = re.compile(r"p(100(\.0+)?|\d{1,2}(\.\d+)?)")
MOST_DATAPOINTS = 1440


class CloudWatch:
    """Answers for the namespaces of *metrics*; every other call goes on to moto.

    *serialise* makes the HTTP answer of a result, *parse* reads moto's.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        serialise: Callable[[ApiCall, dict[str, Any]], HttpResponse],
        parse: Callable[[ApiCall, HttpResponse], dict[str, Any]],
    ) -> None:
        self._metrics, self._serialise, self._parse = metrics, serialise, parse

    @property
    def interceptors(self) -> dict[tuple[str, str], Interceptor]:
        """What stands before moto."""
        return {
            ("cloudwatch", "GetMetricStatistics"): self.get_metric_statistics,
            ("cloudwatch", "GetMetricData"): self.get_metric_data,
            ("cloudwatch", "ListMetrics"): self.list_metrics,
            ("cloudwatch", "PutMetricData"): self.put_metric_data,
        }

    async def get_metric_statistics(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Return one datapoint per period in which something was measured."""
        params = call.params
        if params.get("Namespace") not in SERVICES:
            return await forward(call)
        plain, extended = params.get("Statistics") or [], params.get("ExtendedStatistics") or []
        if not plain and not extended:
            raise AwsError("InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics")
        metric, period, minutes = _metric(params), _period(params.get("Period")), _minutes(params)
        if (asked := math.ceil(len(minutes) / period)) > MOST_DATAPOINTS:
            raise AwsError(
                "InvalidParameterCombination",
                f"You have requested up to {asked} datapoints, which exceeds the limit of {MOST_DATAPOINTS}. "
                "You may reduce the datapoints requested by increasing Period, or decreasing the time range.",
            )
        datapoints = []
        for at, values in self._points(metric, call.region, minutes, period):
            if params.get("Unit") in (None, metric.unit):
                point: dict[str, Any] = {"Timestamp": at, "Unit": metric.unit}
                point |= {name: statistic(name, values) for name in plain}
                if extended:
                    point["ExtendedStatistics"] = {name: statistic(name, values) for name in extended}
                datapoints.append(point)
        return self._serialise(call, {"Label": metric.name, "Datapoints": datapoints})

    async def get_metric_data(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Return the values of several metrics; the newest come first unless ScanBy says otherwise."""
        queries = call.params.get("MetricDataQueries") or []
        namespaces = {((q.get("MetricStat") or {}).get("Metric") or {}).get("Namespace") for q in queries}
        if not namespaces & SERVICES.keys():
            return await forward(call)
        if namespaces - SERVICES.keys() - {None} or any(query.get("Expression") for query in queries):
            raise AwsError(
                "ValidationError",
                f"The local cloud answers neither metric math on {', '.join(sorted(SERVICES))} nor these together with "
                "other namespaces: ask for each in a call of its own, and calculate with the values.",
            )
        if None in namespaces:
            raise AwsError("ValidationError", "Each query needs a Metric with its Namespace, or an Expression.")
        results = [self._result(query, call) for query in queries if query.get("ReturnData") is not False]
        return self._serialise(call, {"MetricDataResults": results, "Messages": []})

    def _result(self, query: dict[str, Any], call: ApiCall) -> dict[str, Any]:
        wanted = query["MetricStat"]
        metric, name = _metric(wanted["Metric"]), str(wanted.get("Stat") or "")
        points = self._points(metric, call.region, _minutes(call.params), _period(wanted.get("Period")))
        found = [(at, statistic(name, values)) for at, values in points if wanted.get("Unit") in (None, metric.unit)]
        if call.params.get("ScanBy") != "TimestampAscending":
            found.reverse()
        return {
            "Id": query.get("Id"),
            "Label": query.get("Label") or metric.name,
            "Timestamps": [at for at, _ in found],
            "Values": [value for _, value in found],
            "StatusCode": "Complete",
        }

    def _points(self, metric: Metric, region: str, minutes: range, period: int) -> list[tuple[datetime, Values]]:
        """Return the values of each period of *minutes* in which something was measured."""
        self._metrics.look()
        measured = [minute for minute in self._metrics.minutes(metric, region) if minute in minutes]
        starts = sorted({minute - (minute - minutes.start) % period for minute in measured})
        return [
            (
                datetime.fromtimestamp(start * 60, UTC),
                self._metrics.values(metric, region, start, min(start + period, minutes.stop)),
            )
            for start in starts
        ]

    async def list_metrics(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """List what was measured, ours and moto's."""
        params = call.params
        namespace, name, wanted = params.get("Namespace"), params.get("MetricName"), params.get("Dimensions") or []
        self._metrics.look()
        ours = [
            {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in metric.dimension.items()],
            }
            for metric in self._metrics.known(call.region)
            if namespace in (None, metric.namespace) and name in (None, metric.name) and _has(metric.dimension, wanted)
        ]
        if namespace in SERVICES:
            return self._serialise(call, {"Metrics": ours})
        response = await forward(call)
        if not ours or response.status >= 400 or params.get("NextToken"):
            return response
        theirs = self._parse(call, response)
        return self._serialise(call, {**theirs, "Metrics": [*ours, *theirs.get("Metrics", [])]})

    async def put_metric_data(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Refuse what only AWS's services may publish."""
        namespace = str(call.params.get("Namespace") or "")
        if namespace.startswith("AWS/"):
            raise AwsError("InvalidParameterValue", f"The value {namespace} for parameter Namespace is invalid.")
        return await forward(call)


def statistic(name: str, values: Values) -> float:
    """Return a statistic of values and how often they came: ``"Sum"``, ``"p99"`` ….

    Raises:
        AwsError: ``InvalidParameterValue`` for a statistic that there is not.
    """
    count = sum(values.values())
    if name == "SampleCount":
        return float(count)
    if name in ("Sum", "Average"):
        total = sum(value * times for value, times in values.items())
        return total if name == "Sum" else total / count
    if name in ("Minimum", "Maximum"):
        return (min if name == "Minimum" else max)(values)
    if not PERCENTILE.fullmatch(name):
        known = f"{', '.join(STATISTICS)} and percentiles such as p99"
        raise AwsError("InvalidParameterValue", f"The local cloud knows {known}; the statistic was {name!r}.")
    rank = max(1, math.ceil(float(name[1:]) / 100 * count))
    for value in sorted(values):
        rank -= values[value]
        if rank <= 0:
            return value
    return max(values)


def _metric(fields: dict[str, Any]) -> Metric:
    dimensions = {str(one.get("Name")): str(one.get("Value")) for one in fields.get("Dimensions") or []}
    return Metric(fields["Namespace"], str(fields.get("MetricName") or ""), dimensions)


def _has(dimension: dict[str, str], wanted: list[dict[str, str]]) -> bool:
    """Whether a metric has each wanted dimension; one without a value fits any."""
    return all(
        one.get("Name") in dimension and one.get("Value") in (None, dimension[str(one["Name"])]) for one in wanted
    )


def _period(seconds: Any) -> int:
    """Return a period in minutes; a metric of AWS has one value a minute, also for shorter periods."""
    if not isinstance(seconds, int) or seconds < 1 or (seconds % 60 and seconds not in (1, 5, 10, 20, 30)):
        raise AwsError(
            "InvalidParameterValue",
            f"The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60 seconds; it was {seconds}.",
        )
    return max(1, seconds // 60)


def _minutes(params: dict[str, Any]) -> range:
    """Return the minutes from StartTime to before EndTime."""
    start, end = (_epoch(params.get(name), name) for name in ("StartTime", "EndTime"))
    if start >= end:
        raise AwsError("InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime.")
    return range(int(start // 60), math.ceil(end / 60))


def _epoch(moment: Any, name: str) -> float:
    if moment is None:
        raise AwsError("MissingParameter", f"The parameter {name} is required.")
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(moment)
