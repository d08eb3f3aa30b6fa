"""What of a queue takes minutes, by a clock that is set."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

import pytest

from labkit.local.api_call import AwsError
from labkit.local.clock import Clock
from labkit.local.sqs.fifo import FifoQueue
from labkit.local.sqs.message import Message
from labkit.local.sqs.messages import Messages
from labkit.local.sqs.queue import Queue
from labkit.local.sqs.queues import Queues


def message(body, sent_at=1000.0, group=""):
    return Message(f"{body:0>32}", body, "md5", {}, "", "sender", sent_at, group_id=group)


def never(message):
    return False


def bodies(messages):
    return [message.body for message in messages]


def test_a_duplicate_is_known_for_five_minutes_and_no_longer():
    """AWS docs: exactly-once processing, and LocalStack's recording of AWS, which waits six minutes."""
    queue = FifoQueue("q.fifo", "arn", 0.0)
    sent = message("a", group="g")
    queue.add(sent, 1000.0, 0)
    queue.remember("id", sent, 1000.0)

    known = [queue.duplicate_of("id", now) is not None for now in (1000.0, 1299.9, 1300.0)]

    assert (known, queue.sent) == ([True, True, False], {})


def test_an_attempt_is_known_for_five_minutes_and_hides_its_messages_anew():
    """AWS docs: ReceiveMessage, ReceiveRequestAttemptId."""
    queue = FifoQueue("q.fifo", "arn", 0.0)
    queue.add(message("a", group="g"), 1000.0, 0)
    taken = queue.take(1000.0, 1, 600.0, never)
    queue.remember_attempt("attempt", taken, 1000.0)

    again = queue.received_before("attempt", 1299.0, 600.0)

    assert (again, taken[0].due_at, taken[0].receive_count) == (taken, 1899.0, 1)
    assert queue.received_before("attempt", 1300.0, 600.0) is None
    assert queue.depths(1898.0)["in_flight"] == 1


def test_an_attempt_whose_message_came_back_is_over():
    """Somebody else may have it now."""
    queue = FifoQueue("q.fifo", "arn", 0.0)
    queue.add(message("a", group="g"), 1000.0, 0)
    queue.remember_attempt("attempt", queue.take(1000.0, 1, 30.0, never), 1000.0)

    assert queue.received_before("attempt", 1031.0, 30.0) is None
    assert bodies(queue.take(1031.0, 1, 30.0, never)) == ["a"]


@pytest.mark.parametrize("kind", [Queue, FifoQueue])
def test_a_message_older_than_the_retention_period_is_gone(kind):
    """It is neither counted nor received; one in flight goes when it comes back."""
    queue = kind("q.fifo", "arn", 0.0, {"MessageRetentionPeriod": "60"})
    for body, sent_at in (("old", 1000.0), ("flying", 1000.0), ("new", 1050.0)):
        queue.add(message(body, sent_at, group=body), sent_at, 0)
    [old] = queue.take(1050.0, 1, 0.0, never)
    queue.bring_back(1050.0)
    [flying] = queue.take(1050.0, 1, 15.0, never)

    counts = [queue.depths(now)["visible"] for now in (1060.0, 1061.0)]

    assert (old.body, flying.body, counts) == ("old", "flying", [2, 1])
    assert bodies(queue.take(1070.0, 10, 30.0, never)) == ["new"]
    assert queue.delete(old.receipt_handle, 1070.0) is False


@pytest.mark.parametrize("kind", [Queue, FifoQueue])
def test_the_oldest_message_counts_until_it_is_deleted(kind):
    """AWS docs: ApproximateAgeOfOldestMessage is that of the oldest non-deleted message, in flight or not."""
    queue = kind("q.fifo", "arn", 0.0)
    for body, sent_at in (("a", 1000.0), ("b", 1010.0)):
        queue.add(message(body, sent_at, group=body), sent_at, 0)
    ages = [queue.oldest().body]

    [first] = queue.take(1020.0, 1, 30.0, never)
    ages.append(queue.oldest().body)
    queue.delete(first.receipt_handle, 1021.0)
    ages.append(queue.oldest().body)

    assert ages == ["a", "a", "b"]


def test_a_fifo_queue_goes_on_after_a_restart_as_if_nothing_had_been():
    """Order, closed groups and returned messages are those of before."""
    queue, again = FifoQueue("q.fifo", "arn", 0.0), FifoQueue("q.fifo", "arn", 0.0)
    for body in ("g1-1", "g1-2", "g1-3", "g2-1"):
        queue.add(message(body, group=body[:2]), 1000.0, 0)
    one, two = queue.take(1000.0, 2, 600.0, never)
    queue.change_visibility(one.receipt_handle, 1000.0, 0)

    for kept in queue.messages():
        again.put_back(replace(kept))

    assert again.depths(1001.0) == queue.depths(1001.0) == {"visible": 3, "in_flight": 1, "delayed": 0}
    assert sorted(bodies(again.take(1001.0, 10, 600.0, never))) == ["g1-1", "g2-1"]
    assert again.delete(two.receipt_handle, 1001.0)


def test_an_older_handle_changes_the_visibility_of_a_standard_message():
    """LocalStack's recording of AWS: terminate visibility timeout after receive."""
    queue = Queue("q", "arn", 0.0)
    queue.add(message("a"), 1000.0, 0)
    [first] = queue.take(1000.0, 1, 0.0, never)
    older = first.receipt_handle
    queue.take(1001.0, 1, 600.0, never)

    assert queue.change_visibility(older, 1002.0, 0)
    assert bodies(queue.take(1002.0, 1, 600.0, never)) == ["a"]


def test_a_message_that_is_back_can_be_hidden_again():
    """LocalStack's recording of AWS: change visibility after its expiration."""
    queue = Queue("q", "arn", 0.0)
    queue.add(message("a"), 1000.0, 0)
    [taken] = queue.take(1000.0, 1, 1.0, never)
    queue.bring_back(1002.0)

    assert queue.change_visibility(taken.receipt_handle, 1002.0, 2)
    assert (queue.take(1003.0, 1, 1.0, never), bodies(queue.take(1004.0, 1, 1.0, never))) == ([], ["a"])


@pytest.mark.parametrize(("name", "wait", "refused"), [("q", 0, True), ("q", 0.01, False), ("q.fifo", 0, False)])
def test_no_more_than_120000_messages_are_in_flight(name, wait, refused):
    """A short poll of a standard queue says so, a long one and a FIFO queue are silent (AWS docs: quotas)."""
    queues = Queues(clock=Clock())
    queue = queues.all["arn"] = (FifoQueue if name.endswith(".fifo") else Queue)(name, "arn", 0.0)
    queue.in_flight = dict.fromkeys(map(str, range(120_000)))
    queue.add(message("a", sent_at=time.time(), group="g"), time.time(), 0)
    receiving = Messages(queues, clock=Clock(), measure=lambda *measured: None).receive_from(
        "arn", max_messages=10, wait_seconds=wait
    )

    if refused:
        with pytest.raises(AwsError) as over:
            asyncio.run(receiving)
        assert over.value.code == "OverLimit"
    else:
        assert asyncio.run(receiving) == []


def test_a_receiver_waits_for_what_another_one_does_not_delete():
    """A long poll ends when a message comes back, though it began when there was none (AWS docs: long polling)."""
    queues = Queues(clock=Clock())
    queue = queues.all["arn"] = Queue("q", "arn", 0.0)
    receive = Messages(queues, clock=Clock(), measure=lambda *measured: None).receive_from

    async def two_receivers_of_one_message():
        options = {"max_messages": 1, "visibility_timeout": 0.05}
        seconds = (5, 0.02, 5)  # the second one gives up before the message is back
        receivers = [asyncio.create_task(receive("arn", **options, wait_seconds=wait)) for wait in seconds]
        await asyncio.sleep(0)
        queue.add(message("a", sent_at=time.time()), time.time(), 0)
        return await asyncio.gather(*receivers)

    began = time.monotonic()
    received = asyncio.run(two_receivers_of_one_message())

    assert [bodies(messages) for messages in received] == [["a"], [], ["a"]]
    assert time.monotonic() - began < 2


def test_a_receiver_that_goes_lets_the_next_one_have_the_message():
    """A client hangs up between the wake and the receive."""
    queues = Queues(clock=Clock())
    queue = queues.all["arn"] = Queue("q", "arn", 0.0)
    receive = Messages(queues, clock=Clock(), measure=lambda *measured: None).receive_from

    async def the_first_of_two_hangs_up():
        receivers = [asyncio.create_task(receive("arn", max_messages=1, wait_seconds=5)) for _ in range(2)]
        await asyncio.sleep(0)
        queue.add(message("a", sent_at=time.time()), time.time(), 0)
        receivers[0].cancel()
        return await receivers[1]

    assert bodies(asyncio.run(the_first_of_two_hangs_up())) == ["a"]


def test_a_message_is_hidden_for_twelve_hours_at_most_however_often_it_is_extended():
    """They count from its last receive (AWS docs: visibility timeout; the sentence is AWS's in public logs)."""
    queues, hours = Queues(clock=Clock()), 3600
    queue = queues.all["arn"] = Queue("q", "arn", 0.0)
    queue.add(message("a", sent_at=time.time()), time.time(), 0)
    [taken] = queue.take(time.time() - 2 * hours, 1, 10 * hours, never)
    change = Messages(queues, clock=Clock(), measure=lambda *measured: None)._change_visibility
    entry = {"ReceiptHandle": taken.receipt_handle, "VisibilityTimeout": 10 * hours}

    change(queue, entry)
    with pytest.raises(AwsError, match=r"Total VisibilityTimeout .* beyond the limit \[43200 seconds\]"):
        change(queue, entry | {"VisibilityTimeout": 10 * hours + 1})


def test_the_age_on_a_dead_letter_queue_counts_from_the_move_and_the_retention_from_the_send():
    """AWS docs: setting up dead-letter queue retention, standard queues."""
    queues, now = Queues(clock=Clock()), time.time()
    dlq = queues.all["dlq"] = Queue("dlq", "dlq", 0.0, {"MessageRetentionPeriod": "600"})
    redrive = json.dumps({"deadLetterTargetArn": "dlq", "maxReceiveCount": 1})
    source = queues.all["source"] = Queue("source", "source", 0.0, {"RedrivePolicy": redrive})
    source.add(message("a", sent_at=now - 500), now - 500, 0)
    receive = Messages(queues, clock=Clock(), measure=lambda *measured: None).receive_from
    for _ in range(2):
        asyncio.run(receive("source", max_messages=1, wait_seconds=0, visibility_timeout=0))

    ages = {arn: value for arn, name, value in queues.gauges() if name == "ApproximateAgeOfOldestMessage"}

    assert ages == {"dlq": 0.0, "source": 0.0}
    assert [dlq.depths(at)["visible"] for at in (now + 90, now + 110)] == [1, 0]


def test_a_delay_that_is_changed_often_does_not_multiply_the_messages():
    """A FIFO queue's delay concerns what is delayed already: each change costs a place in the heap, and no more."""
    queue = FifoQueue("q.fifo", "arn", 0.0)
    queue.add(message("a", group="g"), 1000.0, 900)

    for delay in range(899, 889, -1):
        queue.delay_all(delay)

    assert (len(queue.later), queue.depths(1000.0)["delayed"]) == (11, 1)
    assert bodies(queue.take(1890.0, 10, 30.0, never)) == ["a"]
