"""Message move tasks: bring the messages of a dead-letter queue back.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
"""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from labkit.local.api_call import ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.sqs.queue import Queue
from labkit.local.sqs.queue_attributes import redrive_of

FASTEST = 500


@dataclass(slots=True)
class Task:
    """One move; *destination* is ``""`` for "where each message came from"."""

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

    def __init__(self, *, queue: Callable[[str], Queue], queues: Callable[[], Iterable[Queue]], clock: Clock) -> None:
        self._queue, self._queues, self._clock = queue, queues, clock
        self._tasks: list[Task] = []
        self._running: set[asyncio.Task[None]] = set()

    async def start(self, call: ApiCall) -> dict[str, Any]:
        """Begin to move every message of a DLQ."""
        source_arn = str(call.params.get("SourceArn") or "")
        try:
            source = self._queue(source_arn)
            destination = str(call.params.get("DestinationArn") or "")
            if destination:
                self._queue(destination)
        except AwsError:
            raise AwsError(
                "ResourceNotFoundException",
                "The resource that you specified for the DestinationArn or SourceArn doesn't exist.",
                404,
            ) from None
        if not any(redrive_of(queue.attributes)[0] == source_arn for queue in self._queues()):
            raise AwsError("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
        if any(task.source == source_arn and task.status == "RUNNING" for task in self._tasks):
            raise AwsError(
                "InvalidParameterValue",
                "There is already a task running. "
                "Only one active task is allowed for a source queue arn at a given time.",
            )
        now = self._clock.now()
        text = json.dumps({"taskId": str(uuid.uuid4()), "sourceArn": source_arn})
        rate = min(FASTEST, int(call.params.get("MaxNumberOfMessagesPerSecond") or FASTEST))
        task = Task(
            base64.b64encode(text.encode()).decode(), source_arn, destination, now, source.depths(now)["visible"], rate
        )
        self._tasks.append(task)
        self._begin(task)
        return {"TaskHandle": task.handle}

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
                source, now = self._queue(task.source), self._clock.now()
                source.bring_back(now)
                if not source.waiting:
                    task.status = "COMPLETED"
                    return
                message = source.waiting[0]
                destination = self._queue(task.destination or message.source)
            except AwsError:
                task.status, task.failure = "FAILED", "AWS.SimpleQueueService.NonExistentQueue"
                return
            source.pop()
            if not message.deleted:
                message.receive_count, message.first_received_at = 0, 0.0
                destination.add(message, now, 0)
                task.moved += 1
            await asyncio.sleep(1 / task.rate)

    def list(self, call: ApiCall) -> dict[str, Any]:
        """List the newest tasks of a queue, newest first."""
        source = str(call.params.get("SourceArn") or "")
        most = int(call.params.get("MaxResults") or 1)
        found = [task for task in reversed(self._tasks) if task.source == source][:most]
        return {"Results": [_described(task) for task in found]}

    def cancel(self, call: ApiCall) -> dict[str, Any]:
        """Stop a running task; what is moved stays moved."""
        handle = call.params.get("TaskHandle")
        for task in self._tasks:
            if task.handle == handle and task.status == "RUNNING":
                task.status = "CANCELLED"
                return {"ApproximateNumberOfMessagesMoved": task.moved}
        raise AwsError("ResourceNotFoundException", "There is no running task with this handle.", 404)


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
    if task.status == "RUNNING":
        described["TaskHandle"] = task.handle
    if task.failure:
        described["FailureReason"] = task.failure
    return described
