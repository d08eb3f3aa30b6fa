"""The records of a DynamoDB stream, as its mappings treat them.

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from __future__ import annotations

import json

from labkit.local.clock import iso
from labkit.local.event_source_mapping.stream_batch import Record, StreamKind


def _item_key(record: Record) -> str:
    return json.dumps(record["dynamodb"]["Keys"], sort_keys=True)


KIND = StreamKind(
    actions=("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"),
    no_access=(
        "Cannot access stream {arn}. Please ensure the role can perform the GetRecords, GetShardIterator, "
        "DescribeStream, and ListStreams Actions on your stream in IAM."
    ),
    info="DDBStreamBatchInfo",
    sequence_number=lambda record: str(record["dynamodb"]["SequenceNumber"]),
    arrival=lambda record: float(record["dynamodb"]["ApproximateCreationDateTime"]),
    order_key=_item_key,
    filtered=lambda record: record,
    moment=iso,
)
