"""Message move tasks: bring the messages of a dead-letter queue back.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
"""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from dataclasses import asdict, dataclass, replace
from typing import Any

from labkit.local.api_call import ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.sqs.errors import invalid, number_of
from labkit.local.sqs.message import Message
from labkit.local.sqs.queue import Queue
from labkit.local.sqs.queues import Queues
from labkit.local.sqs.redrive_policy import json_object, redrive_of

FASTEST = 500


@dataclass(slots=True)
class Task:
    """One move; *destination* is ``""`` for "where each message came from", *rate* 0 for "as fast as possible"."""

    handle: str
    source: str
    destination: str
    started_at: float
    to_move: int
    rate: int
    moved: int = 0
    status: str = "RUNNING"
    failure: str = ""


class MoveTasks:
    """The move tasks of all queues."""

    def __init__(self, queues: Queues, *, clock: Clock) -> None:
        self._queues, self._clock = queues, clock
        self._tasks: list[Task] = []
        self._running: set[asyncio.Task[None]] = set()

    def start(self, call: ApiCall) -> dict[str, Any]:
        """Begin to move every message of a DLQ."""
        source_arn, destination = str(call.params.get("SourceArn") or ""), str(call.params.get("DestinationArn") or "")
        source = self._named("SourceArn", source_arn)
        rate = number_of(call.params, "MaxNumberOfMessagesPerSecond", FASTEST)
        if not any(redrive_of(queue.attributes)[0] == source_arn for queue in self._queues.all.values()):
            raise invalid("Source queue must be configured as a Dead Letter Queue.")
        if destination and self._named("DestinationArn", destination).fifo != source.fifo:
            raise invalid("Source queue and destination queue must be of the same type.")
        if destination == source_arn:
            raise invalid("Source queue and destination queue must not be the same.")  # it would never end
        if any(task.source == source_arn and task.status == "RUNNING" for task in self._tasks):
            raise invalid(
                "There is already a task running. "
                "Only one active task is allowed for a source queue arn at a given time."
            )
        now = self._clock.now()
        text = json.dumps({"taskId": str(uuid.uuid4()), "sourceArn": source_arn})
        task = Task(
            base64.b64encode(text.encode()).decode(),
            source_arn,
            destination,
            now,
            source.depths(now)["visible"],
            rate or 0,
        )
        self._tasks.append(task)
        self._begin(task)
        return {"TaskHandle": task.handle}

    def _named(self, parameter: str, arn: str) -> Queue:
        try:
            return self._queues.by_arn(arn)
        except AwsError:
            raise AwsError(
                "ResourceNotFoundException",
                f"The resource that you specified for the {parameter} parameter doesn't exist.",
                404,
            ) from None

    def _begin(self, task: Task) -> None:
        running = asyncio.create_task(self._run(task))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the tasks as plain data."""
        return [asdict(task) for task in self._tasks]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Go on with the tasks of a snapshot."""
        self._tasks = [Task(**fields) for fields in state]
        for task in self._tasks:
            if task.status == "RUNNING":
                self._begin(task)

    async def _run(self, task: Task) -> None:
        while task.status == "RUNNING":
            try:
                moved = self._move_one(task)
            except AwsError as error:
                task.status, task.failure = "FAILED", error.code
                return
            if not moved:
                task.status = "COMPLETED"
                return
            task.moved += 1
            await asyncio.sleep(1 / (task.rate or FASTEST))

    def _move_one(self, task: Task) -> bool:
        source, now = self._queues.by_arn(task.source), self._clock.now()
        source.bring_back(now)
        while source.waiting.ready:
            message = source.waiting.first()
            if message and not message.deleted:
                if not (task.destination or message.source):
                    raise AwsError("CouldNotDetermineMessageSource", "Nobody knows where the message came from.")
                destination = self._queues.by_arn(task.destination or message.source)
                source.pop()
                destination.add(_anew(message, now), now, 0)
                source.note("drop", source.arn, message.message_id)
                return True
            source.pop()
        return False

    def list(self, call: ApiCall) -> dict[str, Any]:
        """List the newest tasks of a queue, newest first."""
        source = str(call.params.get("SourceArn") or "")
        self._named("SourceArn", source)
        most = number_of(call.params, "MaxResults", 10) or 1
        found = [task for task in reversed(self._tasks) if task.source == source][:most]
        return {"Results": [_described(task) for task in found]}

    def cancel(self, call: ApiCall) -> dict[str, Any]:
        """Stop a running task; what is moved stays moved."""
        handle = str(call.params.get("TaskHandle") or "")
        self._named("SourceArn", _source_of(handle))
        for task in self._tasks:
            if task.handle == handle and task.status == "RUNNING":
                task.status = "CANCELLED"
                return {"ApproximateNumberOfMessagesMoved": task.moved}
        raise AwsError("ResourceNotFoundException", "Task does not exist.", 404)


def _source_of(handle: str) -> str:
    """Return the ARN of the queue that a task handle names."""
    try:
        document = json_object(base64.b64decode(handle, validate=True).decode()) or {}
    except ValueError:
        document = {}
    if not document.get("taskId") or not document.get("sourceArn"):
        raise invalid("Value for parameter TaskHandle is invalid.")
    return str(document["sourceArn"])


def _anew(message: Message, now: float) -> Message:
    """Return a moved message as SQS sees it: a new one, with an id and a time of its own."""
    return replace(
        message, message_id=str(uuid.uuid4()), sent_at=now, receive_count=0, earlier_receives=0,
        first_received_at=0.0, receipt_handle="", source="", moved_at=0.0,
    )  # fmt: skip


def _described(task: Task) -> dict[str, Any]:
    described: dict[str, Any] = {
        "Status": task.status,
        "SourceArn": task.source,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.to_move,
        "StartedTimestamp": int(task.started_at * 1000),
    }
    if task.destination:
        described["DestinationArn"] = task.destination
    if task.rate:
        described["MaxNumberOfMessagesPerSecond"] = task.rate
    if task.status == "RUNNING":
        described["TaskHandle"] = task.handle
    if task.failure:
        described["FailureReason"] = task.failure
    return described
