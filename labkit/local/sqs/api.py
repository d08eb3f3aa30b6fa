"""Amazon SQS: its operations, and what other parts of the local cloud need of queues.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labkit.local.api_call import ApiCall
from labkit.local.clock import Clock
from labkit.local.picture import Arrow, Part, Picture
from labkit.local.sqs import queue_state
from labkit.local.sqs.messages import Messages
from labkit.local.sqs.move_tasks import MoveTasks
from labkit.local.sqs.queues import Queues
from labkit.local.sqs.redrive_policy import redrive_of


class Sqs:
    """Standard and FIFO queues."""

    def __init__(
        self,
        *,
        clock: Clock,
        measure: Callable[[str, str, float], None],
        note: Callable[..., None],
    ) -> None:
        self._queues = queues = Queues(clock=clock, note=note)
        self.replay = queue_state.replay
        self._messages = messages = Messages(queues, clock=clock, measure=measure)
        self._moves = MoveTasks(queues, clock=clock)
        # What the other parts of the local cloud need:
        self.attributes_of, self.policy_of, self.gauges = queues.attributes_of, queues.policy_of, queues.gauges
        self.send_to, self.receive_from = messages.send_to, messages.receive_from
        self.delete_from = messages.delete_from

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            **self._queues.operations,
            **self._messages.operations,
            "StartMessageMoveTask": self._moves.start,
            "ListMessageMoveTasks": self._moves.list,
            "CancelMessageMoveTask": self._moves.cancel,
        }

    def description(self) -> dict[str, int]:
        """Count the queues and their messages, for the health page."""
        depths = self._queues.depths().values()
        return {"queues": len(depths)} | {
            kind: sum(queue[kind] for queue in depths) for kind in ("visible", "in_flight", "delayed")
        }

    def picture(self) -> Picture:
        """Draw the queues, how full they are, and where redrive leads."""
        drawn: Picture = []
        redrives = {arn: redrive_of(queue.attributes)[0] for arn, queue in self._queues.all.items()}
        for arn, depths in self._queues.depths().items():
            waiting = depths["visible"]
            failed = f"{waiting} failed message{'s' if waiting > 1 else ''} on it"
            problem = failed if waiting and arn in redrives.values() else ""
            facts = {"waiting": waiting, "in flight": depths["in_flight"], "delayed": depths["delayed"]}
            drawn.append(Part(arn, "SQS queue", self._queues.all[arn].name, facts, problem))
        return drawn + [Arrow(arn, dlq, "redrive") for arn, dlq in redrives.items() if dlq]

    def snapshot(self) -> dict[str, Any]:
        """Return the state as plain data: queues with their messages, move tasks, names that are not free yet."""
        return {**self._queues.snapshot(), "moves": self._moves.snapshot()}

    def settings(self) -> dict[str, Any]:
        """Return the same without what is noted at each change: messages, and what FIFO queues know of duplicates."""
        return {**self._queues.settings(), "moves": self._moves.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; what was in flight keeps its receipt handle and its visibility timeout."""
        self._queues.restore(state)
        self._moves.restore(state["moves"])
