"""What stands between a service of AWS and the queue, topic or function that it sends to."""

from __future__ import annotations

import asyncio

import pytest

from labkit.local.api_call import AwsError
from labkit.local.clock import Clock
from labkit.local.destinations import Destinations
from labkit.local.eventbridge.delivery import Deliveries
from labkit.local.eventbridge.targets import Targets

TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"
RULE = "arn:aws:events:us-east-1:123456789012:rule/visits"
OPEN = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": TOPIC}
FOR_THE_RULE = {**OPEN, "Condition": {"ArnEquals": {"aws:SourceArn": RULE}}}


@pytest.fixture
def topics():
    """Destinations with topics that take what only ``alerts`` is there to take; what it took; its statements."""
    took, statements, destinations = [], [], Destinations()

    async def take(arn, text, **options):
        took.append((arn, text, options))

    def policy_of(arn):
        if arn != TOPIC:
            raise AwsError("NotFound", "Topic does not exist", 404)
        return {"Statement": statements}

    destinations.add("sns", take, policy_of=policy_of)
    return destinations, took, statements


def send(destinations, *, source_arn=RULE, **options):
    asyncio.run(destinations.send(TOPIC, "hello", principal="events.amazonaws.com", source_arn=source_arn, **options))


def test_a_destination_takes_what_its_policy_allows_a_service_for_its_source(topics):
    """The source counts: a rule that the policy does not name is not let in, and the refusal says what is missing."""
    destinations, took, statements = topics
    statements.append(FOR_THE_RULE)

    send(destinations, subject="Hi")
    with pytest.raises(AwsError) as refused:
        send(destinations, source_arn=f"{RULE}-2")

    assert took == [(TOPIC, "hello", {"subject": "Hi"})]
    assert (refused.value.code, refused.value.message) == (
        "AuthorizationError",
        f"the policy of {TOPIC} does not let events.amazonaws.com do sns:Publish for {RULE}-2",
    )


def test_who_asked_a_role_needs_no_policy_of_the_destination(topics):
    """Within an account one of the two is enough; what cannot be delivered to at all is said."""
    destinations, took, _ = topics

    asyncio.run(destinations.send_by_role(TOPIC, "hello"))
    with pytest.raises(AwsError, match="cannot deliver to arn:aws:kinesis"):
        asyncio.run(destinations.send_by_role("arn:aws:kinesis:us-east-1:123456789012:stream/s", "hello"))

    assert took == [(TOPIC, "hello", {})]


def test_the_policy_of_what_is_not_there_is_none(topics):
    """IAM asks for every resource that a call names, also before it is made."""
    destinations, _, statements = topics

    found = [asyncio.run(destinations.policy_of(arn)) for arn in (TOPIC, f"{TOPIC}-2", "*")]

    assert found == [{"Statement": statements}, None, None]


@pytest.mark.parametrize("statements", [[OPEN], []], ids=["delivered", "given up"])
def test_durability_knows_when_a_delivery_of_eventbridge_begins_and_ends(topics, statements):
    """Nobody's call began it when a schedule did; one that was given up must not begin again after a restart."""
    destinations, _, allowed = topics
    allowed += statements
    noted = []

    async def deliver():
        deliveries = Deliveries(
            Targets(destinations, log_policies=None, put_log_event=None),
            clock=Clock(),
            measure=lambda *measured: None,
            note=lambda *change: noted.append((change, len(deliveries))),
            emit=lambda *event, **fields: None,
        )
        deliveries.begin(rule_arn=RULE, target={"Id": "1", "Arn": TOPIC}, event={"id": "1"})
        while len(deliveries):
            await asyncio.sleep(0)

    asyncio.run(deliver())

    assert noted == [(("settings",), 1), (("settings",), 0)]
