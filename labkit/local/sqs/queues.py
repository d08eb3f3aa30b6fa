"""The queues: their operations, attributes and look-up.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.sqs import queue_state
from labkit.local.sqs.errors import missing, number_of
from labkit.local.sqs.fifo import FIFO_DEFAULTS, FifoQueue
from labkit.local.sqs.permissions import add_permission, remove_permission
from labkit.local.sqs.queue import DEFAULTS, Queue, note_nothing
from labkit.local.sqs.queue_attributes import changed, check_name, checked
from labkit.local.sqs.redrive_policy import check_dlq, redrive_of

KNOWN_UNSET = {"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"} | set(
    FIFO_DEFAULTS
)


class Queues:
    """Every queue there is, *all* of them by ARN."""

    def __init__(self, *, clock: Clock, note: Callable[..., None] = note_nothing) -> None:
        self._clock, self._note = clock, note
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
            "UntagQueue": self._untag_queue,
            "ListQueueTags": self._list_queue_tags,
            "AddPermission": lambda call: add_permission(self.of(call), call.params),
            "RemovePermission": lambda call: remove_permission(self.of(call), call.params),
        }

    def create_queue(self, call: ApiCall) -> dict[str, Any]:
        """Create a queue, or return the URL of the one that is there with the same attributes."""
        name, given = call.params.get("QueueName") or "", call.params.get("Attributes") or {}
        fifo = str(given.get("FifoQueue")).lower() == "true"
        check_name(name, fifo=fifo)
        attributes = checked(given, fifo=fifo)
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
        attributes = changed({}, attributes)
        self._check_dlq(arn, attributes)
        tags = dict(call.params.get("tags") or {})
        self.all[arn] = (FifoQueue if fifo else Queue)(name, arn, now, attributes, tags, now, note=self._note)
        return {"QueueUrl": self._url(call, self.all[arn])}

    @staticmethod
    def _check_same(existing: Queue, attributes: dict[str, str]) -> None:
        for key, value in attributes.items():
            if existing.attributes.get(key, (DEFAULTS | FIFO_DEFAULTS).get(key)) != value:
                raise AwsError(
                    "QueueAlreadyExists",
                    f"A queue already exists with the same name and a different value for attribute {key}",
                )

    def _check_dlq(self, arn: str, attributes: dict[str, str]) -> None:
        dlq = self.all.get(redrive_of(attributes)[0])
        check_dlq(arn, attributes, dlq.attributes if dlq else None)

    def delete_queue(self, call: ApiCall) -> None:
        """Delete a queue with everything in it."""
        queue = self.of(call)
        queue.purge()
        del self.all[queue.arn]
        now, wait = self._clock.now(), self._clock.scaled(60)
        self._deleted_at = {arn: at for arn, at in self._deleted_at.items() if now - at < wait} | {queue.arn: now}
        queue.receivers.wake_all()

    def get_queue_url(self, call: ApiCall) -> dict[str, Any]:
        """Return the URL of a queue by its name."""
        account = call.params.get("QueueOwnerAWSAccountId") or ACCOUNT_ID
        arn = f"arn:aws:sqs:{call.region}:{account}:{call.params.get('QueueName')}"
        return {"QueueUrl": self._url(call, self.by_arn(arn))}

    def list_queues(self, call: ApiCall) -> dict[str, Any]:
        """List URLs by name prefix, in pages when MaxResults is given."""
        start = f"arn:aws:sqs:{call.region}:{ACCOUNT_ID}:{call.params.get('QueueNamePrefix') or ''}"
        return self._page(call, "QueueUrls", [arn for arn in self.all if arn.startswith(start)])

    def _page(self, call: ApiCall, member: str, arns: list[str]) -> dict[str, Any]:
        most, token = number_of(call.params, "MaxResults", 1000), call.params.get("NextToken") or ""
        left = sorted(arn for arn in arns if arn > token)
        page = left[: most or 1000]
        answer: dict[str, Any] = {member: [self._url(call, self.all[arn]) for arn in page]} if page else {}
        if most and len(left) > most:
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
        asked = checked(call.params.get("Attributes") or {}, fifo=queue.fifo)
        after = changed(queue.attributes, asked)
        if "RedrivePolicy" in asked:
            self._check_dlq(queue.arn, after)
        queue.attributes = after
        if isinstance(queue, FifoQueue) and "DelaySeconds" in asked:
            queue.delay_all(queue.number("DelaySeconds"))
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

    def _untag_queue(self, call: ApiCall) -> None:
        for key in call.params.get("TagKeys") or []:
            self.of(call).tags.pop(key, None)

    def _list_queue_tags(self, call: ApiCall) -> dict[str, Any]:
        tags = self.of(call).tags
        return {"Tags": tags} if tags else {}

    def list_dead_letter_source_queues(self, call: ApiCall) -> dict[str, Any]:
        """List the queues whose redrive policy names this one, in pages when MaxResults is given."""
        dlq = self.of(call).arn
        sources = [arn for arn, queue in self.all.items() if redrive_of(queue.attributes)[0] == dlq]
        return {"queueUrls": []} | self._page(call, "queueUrls", sources)

    def attributes_of(self, queue_arn: str) -> dict[str, str]:
        """Return every attribute of a queue.

        Raises:
            AwsError: ``AWS.SimpleQueueService.NonExistentQueue``.
        """
        queue = self.by_arn(queue_arn)
        depths = queue.depths(self._clock.now())
        return {
            **DEFAULTS,
            **(FIFO_DEFAULTS if queue.fifo else {}),
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
            oldest = queue.oldest()
            yield arn, "ApproximateAgeOfOldestMessage", float(int(now - oldest.here_since)) if oldest else 0.0
            if isinstance(queue, FifoQueue):
                groups = {message.group_id for message in queue.in_flight.values()}
                yield arn, "ApproximateNumberOfGroupsWithInflightMessages", float(len(groups))

    def of(self, call: ApiCall) -> Queue:
        """Find the queue that a call's QueueUrl names."""
        url = str(call.params.get("QueueUrl") or "")
        if not url:
            raise missing("QueueUrl")
        path, _, name = url.rstrip("/").rpartition("/")
        account = path.rpartition("/")[2] or ACCOUNT_ID
        return self.by_arn(f"arn:aws:sqs:{call.region}:{account}:{name}")

    def by_arn(self, arn: str) -> Queue:
        """Find a queue; raise AwsError ``AWS.SimpleQueueService.NonExistentQueue``."""
        queue = self.all.get(arn)
        if queue is None:
            raise AwsError("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        return queue

    @staticmethod
    def _url(call: ApiCall, queue: Queue) -> str:
        return f"http://{call.http.headers.get('host')}/{ACCOUNT_ID}/{queue.name}"

    def snapshot(self) -> dict[str, Any]:
        """Return queues and their messages, and names that are not free yet, as plain data."""
        return {**self.settings(), **queue_state.contents(self.all.values())}

    def settings(self) -> dict[str, Any]:
        """Return the same without the messages, and without what FIFO queues know of the last five minutes."""
        kept = [queue_state.settings(queue) for queue in self.all.values()]
        return {"deleted_at": dict(self._deleted_at), "queues": kept}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; what was in flight keeps its receipt handle and its visibility timeout."""
        self._deleted_at = dict(state["deleted_at"])
        for kept in state["queues"]:
            self.all[kept["arn"]] = queue_state.restored(kept, state, self._note)
