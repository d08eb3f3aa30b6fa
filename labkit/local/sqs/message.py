"""A message, whether it waits, is in flight or is delayed.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, eq=False)
class Message:
    """A message; times are epoch seconds, *received_at* that of the last receive.

    *source* is the queue it came to this DLQ from, at *moved_at*; *earlier_receives* counts those from other queues.
    *group_id*, *deduplication_id* and *sequence_number* matter on FIFO queues.
    """

    message_id: str
    body: str
    md5_of_body: str
    message_attributes: dict[str, Any]
    md5_of_attributes: str
    sender_id: str
    sent_at: float
    receive_count: int = 0
    first_received_at: float = 0.0
    receipt_handle: str = ""
    due_at: float = 0.0
    delayed: bool = False
    deleted: bool = False
    source: str = ""
    earlier_receives: int = 0
    group_id: str = ""
    deduplication_id: str = ""
    sequence_number: int = 0
    trace_header: str = ""
    received_at: float = 0.0
    moved_at: float = 0.0

    @property
    def attributes(self) -> dict[str, str]:
        """The system attributes, as strings."""
        always = {
            "ApproximateReceiveCount": str(self.earlier_receives + self.receive_count),
            "SentTimestamp": str(int(self.sent_at * 1000)),
            "SenderId": self.sender_id,
            "ApproximateFirstReceiveTimestamp": str(int(self.first_received_at * 1000)),
        }
        if self.sequence_number:
            always |= {
                "SequenceNumber": str(self.sequence_number),
                "MessageDeduplicationId": self.deduplication_id,
                "MessageGroupId": self.group_id,
            }
        elif self.group_id:
            always["MessageGroupId"] = self.group_id
        return always | {"AWSTraceHeader": self.trace_header} if self.trace_header else always

    def kept(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def here_since(self) -> float:
        """When it came to this queue."""
        return self.moved_at or self.sent_at

    @property
    def key(self) -> str:
        """What its receipt handles begin with."""
        return self.receipt_handle[:32]
