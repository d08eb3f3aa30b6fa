"""The state of queues as plain data: what is kept of a queue, of its messages, and of each change of these.

A queue tells of changes through its *note*; :func:`replay` does to a snapshot what they did to the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import deepcopy
from dataclasses import asdict
from typing import Any

from labkit.local.sqs.fifo import FifoQueue, Sent
from labkit.local.sqs.message import Message
from labkit.local.sqs.queue import CHANGED_BY_A_RECEIVE, Queue


def settings(queue: Queue) -> dict[str, Any]:
    """Return a queue without its messages, and without what a FIFO queue knows of the last five minutes."""
    kept: dict[str, Any] = {
        "name": queue.name,
        "arn": queue.arn,
        "created_at": queue.created_at,
        "modified_at": queue.modified_at,
        "purged_at": queue.purged_at,
        "attributes": dict(queue.attributes),
        "tags": dict(queue.tags),
        "fifo": queue.fifo,
    }
    return kept | {"last_number": queue.last_number} if isinstance(queue, FifoQueue) else kept


def contents(queues: Collection[Queue]) -> dict[str, Any]:
    """Return what :func:`settings` leaves out, by the ARN of the queue."""
    fifo = [queue for queue in queues if isinstance(queue, FifoQueue)]
    return {
        "messages": {queue.arn: {one.message_id: one.kept() for one in queue.messages()} for queue in queues},
        "sent": {queue.arn: {scope: asdict(sent) for scope, sent in queue.sent.items()} for queue in fifo},
        "attempts": {queue.arn: deepcopy(queue.attempts) for queue in fifo},
    }


def restored(kept: dict[str, Any], state: dict[str, Any], note: Callable[..., None]) -> Queue:
    """Return the queue of which *kept* are the settings, with its contents from the snapshot *state*."""
    fields = {name: deepcopy(value) for name, value in kept.items() if name != "fifo"}
    queue = FifoQueue(**fields) if kept["fifo"] else Queue(**fields)
    messages = [Message(**message) for message in state["messages"].get(queue.arn, {}).values()]
    if isinstance(queue, FifoQueue):
        queue.sent = {scope: Sent(**sent) for scope, sent in state["sent"].get(queue.arn, {}).items()}
        queue.attempts = deepcopy(state["attempts"].get(queue.arn, {}))
        numbers = [message.sequence_number for message in messages]
        numbers += [sent.sequence_number for sent in queue.sent.values()]
        queue.last_number = max([queue.last_number, *numbers])
    for message in messages:
        queue.put_back(message)
    queue.note = note
    return queue


def replay(state: dict[str, Any], kind: str, queue_arn: str, what: Any = None, value: Any = None) -> None:
    """Do to a snapshot what a queue told: put, hide or drop messages, clear, a deduplication id sent, an attempt."""
    messages = state["messages"].setdefault(queue_arn, {})
    match kind:
        case "put":
            messages.pop(what["message_id"], None)
            messages[what["message_id"]] = what
        case "hide":
            for message_id, *values in what:
                if message_id in messages:
                    messages[message_id].update(zip(CHANGED_BY_A_RECEIVE, values, strict=True))
        case "drop":
            messages.pop(what, None)
        case "clear":
            for part in ("messages", "sent", "attempts"):
                state[part].pop(queue_arn, None)
        case "sent" | "attempts":
            known = state[kind].setdefault(queue_arn, {})
            known.pop(what, None)  # the newest stands last
            known[what] = value
