"""The records of a Kinesis stream, as its mappings treat them.

https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

from __future__ import annotations

import base64
import json
from typing import Any

from labkit.local.clock import iso_milliseconds
from labkit.local.event_source_mapping.stream_batch import Record, StreamKind


def _filtered(record: Record) -> Record:
    """Filters see the metadata and ``data``, decoded: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-filtering.html."""
    content: Any = base64.b64decode(record["kinesis"]["data"])
    try:
        content = json.loads(content)
    except ValueError:
        content = content.decode("utf-8", "replace")
    return {**record, **record["kinesis"], "data": content}


KIND = StreamKind(
    actions=("kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:DescribeStream", "kinesis:ListShards"),
    no_access=(
        "Cannot access stream {arn}. Please ensure the role can perform the GetRecords, GetShardIterator, "
        "DescribeStream, ListShards, and ListStreams Actions on your stream in IAM."
    ),
    info="KinesisBatchInfo",
    sequence_number=lambda record: str(record["kinesis"]["sequenceNumber"]),
    arrival=lambda record: float(record["kinesis"]["approximateArrivalTimestamp"]),
    order_key=lambda record: str(record["kinesis"]["partitionKey"]),
    filtered=_filtered,
    moment=iso_milliseconds,
    names_role=True,
)
