"""The queues: their operations, attributes and look-up.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields as fields_of
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.sqs.queue import DEFAULTS, Message, Queue
from labkit.local.sqs.queue_attributes import check_attributes, redrive_of

NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
FOR_WSDL = "The specified queue does not exist."
KNOWN_UNSET = {"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"} | {
    "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit",
}  # fmt: skip
MESSAGE_FIELDS = tuple(field.name for field in fields_of(Message))


class Queues:
    """Every queue there is, *all* of them by ARN."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self.all: dict[str, Queue] = {}
        self._deleted_at: dict[str, float] = {}

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "CreateQueue": self.create_queue,
            "DeleteQueue": self.delete_queue,
            "GetQueueUrl": self.get_queue_url,
            "ListQueues": self.list_queues,
            "GetQueueAttributes": self.get_queue_attributes,
            "SetQueueAttributes": self.set_queue_attributes,
            "PurgeQueue": self.purge_queue,
            "ListDeadLetterSourceQueues": self.list_dead_letter_source_queues,
            "TagQueue": lambda call: self.of(call).tags.update(call.params.get("Tags") or {}),
            "UntagQueue": self.untag_queue,
            "ListQueueTags": lambda call: {"Tags": self.of(call).tags},
        }

    def create_queue(self, call: ApiCall) -> dict[str, Any]:
        """Create a queue, or return the URL of the one that is there with the same attributes."""
        name = call.params.get("QueueName") or ""
        attributes = {key: str(value) for key, value in (call.params.get("Attributes") or {}).items()}
        if name.endswith(".fifo") or attributes.get("FifoQueue") == "true":
            raise AwsError("UnsupportedOperation", "The local cloud has standard queues only, no FIFO queues yet.", 400)
        if not NAME.fullmatch(name):
            raise AwsError(
                "InvalidParameterValue",
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
            )
        check_attributes(attributes)
        arn = f"arn:aws:sqs:{call.region}:{ACCOUNT_ID}:{name}"
        if existing := self.all.get(arn):
            self._check_same(existing, attributes)
            return {"QueueUrl": self._url(call, existing)}
        now = self._clock.now()
        if now - self._deleted_at.get(arn, float("-inf")) < self._clock.scaled(60):
            raise AwsError(
                "AWS.SimpleQueueService.QueueDeletedRecently",
                "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
            )
        self._check_dlq(attributes)
        tags = dict(call.params.get("tags") or {})
        self.all[arn] = Queue(name, arn, now, attributes, tags, now)
        return {"QueueUrl": self._url(call, self.all[arn])}

    @staticmethod
    def _check_same(existing: Queue, attributes: dict[str, str]) -> None:
        for key, value in attributes.items():
            if existing.attributes.get(key, DEFAULTS.get(key)) != value:
                raise AwsError(
                    "QueueAlreadyExists",
                    f"A queue already exists with the same name and a different value for attribute {key}",
                )

    def _check_dlq(self, attributes: dict[str, str]) -> None:
        dlq = redrive_of(attributes)[0]
        if dlq and dlq not in self.all:
            raise AwsError(
                "InvalidParameterValue",
                f"Value {attributes['RedrivePolicy']} for parameter RedrivePolicy is invalid. "
                "Reason: Dead letter target does not exist.",
            )

    def delete_queue(self, call: ApiCall) -> None:
        """Delete a queue with everything in it."""
        queue = self.of(call)
        queue.purge()
        del self.all[queue.arn]
        self._deleted_at[queue.arn] = self._clock.now()
        while queue.receivers:
            queue.wake()

    def get_queue_url(self, call: ApiCall) -> dict[str, Any]:
        """Return the URL of a queue by its name."""
        return {
            "QueueUrl": self._url(
                call, self.by_arn(f"arn:aws:sqs:{call.region}:{ACCOUNT_ID}:{call.params.get('QueueName')}")
            )
        }

    def list_queues(self, call: ApiCall) -> dict[str, Any]:
        """List URLs by name prefix, in pages when MaxResults is given."""
        prefix, most = call.params.get("QueueNamePrefix") or "", int(call.params.get("MaxResults") or 0)
        start = f"arn:aws:sqs:{call.region}:{ACCOUNT_ID}:{prefix}"
        arns = sorted(arn for arn in self.all if arn.startswith(start) and arn > (call.params.get("NextToken") or ""))
        page = arns[:most] if most else arns[:1000]
        answer: dict[str, Any] = {"QueueUrls": [self._url(call, self.all[arn]) for arn in page]} if page else {}
        if most and len(arns) > most:
            answer["NextToken"] = page[-1]
        return answer

    def get_queue_attributes(self, call: ApiCall) -> dict[str, Any]:
        """Return attributes, all of them for ``All``."""
        queue, wanted = self.of(call), call.params.get("AttributeNames") or []
        everything = self.attributes_of(queue.arn)
        unknown = [name for name in wanted if name != "All" and name not in everything and name not in KNOWN_UNSET]
        if unknown:
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {unknown[0]}.")
        chosen = everything if "All" in wanted else {name: everything[name] for name in wanted if name in everything}
        return {"Attributes": chosen} if chosen else {}

    def set_queue_attributes(self, call: ApiCall) -> None:
        """Change attributes; an empty policy removes it."""
        queue = self.of(call)
        attributes = {key: str(value) for key, value in (call.params.get("Attributes") or {}).items()}
        check_attributes(attributes)
        self._check_dlq(attributes)
        queue.attributes.update(attributes)
        for key in ("Policy", "RedrivePolicy", "RedriveAllowPolicy"):
            if queue.attributes.get(key) == "":
                del queue.attributes[key]
        queue.modified_at = self._clock.now()

    def purge_queue(self, call: ApiCall) -> None:
        """Delete all messages; once in 60 seconds."""
        queue, now = self.of(call), self._clock.now()
        if now - queue.purged_at < self._clock.scaled(60):
            raise AwsError(
                "AWS.SimpleQueueService.PurgeQueueInProgress",
                f"Only one PurgeQueue operation on {queue.name} is allowed every 60 seconds.",
                403,
            )
        queue.purged_at = now
        queue.purge()

    def untag_queue(self, call: ApiCall) -> None:
        """Remove tags."""
        for key in call.params.get("TagKeys") or []:
            self.of(call).tags.pop(key, None)

    def list_dead_letter_source_queues(self, call: ApiCall) -> dict[str, Any]:
        """List the queues whose redrive policy names this one."""
        dlq = self.of(call).arn
        sources = [queue for queue in self.all.values() if redrive_of(queue.attributes)[0] == dlq]
        return {"queueUrls": [self._url(call, queue) for queue in sources]}

    def attributes_of(self, queue_arn: str) -> dict[str, str]:
        """Return every attribute of a queue.

        Raises:
            AwsError: ``AWS.SimpleQueueService.NonExistentQueue``.
        """
        queue = self.by_arn(queue_arn)
        depths = queue.depths(self._clock.now())
        return {
            **DEFAULTS,
            **queue.attributes,
            "QueueArn": queue.arn,
            "ApproximateNumberOfMessages": str(depths["visible"]),
            "ApproximateNumberOfMessagesNotVisible": str(depths["in_flight"]),
            "ApproximateNumberOfMessagesDelayed": str(depths["delayed"]),
            "CreatedTimestamp": str(int(queue.created_at)),
            "LastModifiedTimestamp": str(int(queue.modified_at)),
        }

    def policy_of(self, queue_arn: str) -> dict[str, Any] | None:
        """Return a queue's policy, if it has one."""
        text = self.by_arn(queue_arn).attributes.get("Policy")
        return json.loads(text) if text else None

    def depths(self) -> dict[str, dict[str, int]]:
        """Count the messages of every queue, by ARN."""
        return {arn: queue.depths(self._clock.now()) for arn, queue in self.all.items()}

    def gauges(self) -> Iterator[tuple[str, str, float]]:
        """Yield what CloudWatch shows of how full the queues are: ARN, metric, value."""
        now = self._clock.now()
        for arn, queue in self.all.items():
            depths = queue.depths(now)
            yield arn, "ApproximateNumberOfMessagesVisible", float(depths["visible"])
            yield arn, "ApproximateNumberOfMessagesNotVisible", float(depths["in_flight"])
            yield arn, "ApproximateNumberOfMessagesDelayed", float(depths["delayed"])
            oldest = now - queue.waiting[0].sent_at if queue.waiting else 0.0
            yield arn, "ApproximateAgeOfOldestMessage", float(int(oldest))

    def of(self, call: ApiCall) -> Queue:
        """Find the queue that a call's QueueUrl names."""
        url = str(call.params.get("QueueUrl") or "")
        if not url:
            raise AwsError("MissingParameter", "The request must contain the parameter QueueUrl.")
        return self.by_arn(f"arn:aws:sqs:{call.region}:{ACCOUNT_ID}:{url.rstrip('/').rpartition('/')[2]}")

    def by_arn(self, arn: str) -> Queue:
        """Find a queue; raise AwsError ``AWS.SimpleQueueService.NonExistentQueue``."""
        queue = self.all.get(arn)
        if queue is None:
            raise AwsError("AWS.SimpleQueueService.NonExistentQueue", FOR_WSDL)
        return queue

    @staticmethod
    def _url(call: ApiCall, queue: Queue) -> str:
        return f"http://{call.http.headers.get('host')}/{ACCOUNT_ID}/{queue.name}"

    def snapshot(self) -> dict[str, Any]:
        """Return queues with their messages, and names that are not free yet, as plain data."""
        return {
            "deleted_at": dict(self._deleted_at),
            "queues": [
                {
                    "name": queue.name,
                    "arn": queue.arn,
                    "created_at": queue.created_at,
                    "modified_at": queue.modified_at,
                    "purged_at": queue.purged_at,
                    "attributes": dict(queue.attributes),
                    "tags": dict(queue.tags),
                    "messages": [_kept(message) for message in queue.messages()],
                }
                for queue in self.all.values()
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; what was in flight keeps its receipt handle and its visibility timeout."""
        self._deleted_at = dict(state["deleted_at"])
        for kept in state["queues"]:
            fields = {name: value for name, value in kept.items() if name != "messages"}
            queue = self.all[kept["arn"]] = Queue(**fields)
            for message in kept["messages"]:
                queue.put_back(Message(**message))


def _kept(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in MESSAGE_FIELDS}
