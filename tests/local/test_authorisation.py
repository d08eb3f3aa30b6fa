"""Who may do what, where the answer changes without anything being written."""

from __future__ import annotations

import asyncio

from labkit.local.iam.authorisation import Iam

ROLE = "arn:aws:iam::123456789012:role/night-shift"
UNTIL_TEN = {
    "Effect": "Allow",
    "Action": "sqs:SendMessage",
    "Resource": "*",
    "Condition": {"NumericLessThan": {"aws:EpochTime": "10"}},
}


def test_what_a_role_may_do_until_a_certain_time_ends_with_it():
    """A decision that depends on the time is not remembered: IAM user guide, global condition context keys."""
    time = 9.0

    async def permissions(arn):
        return {"identity": [{"Version": "2012-10-17", "Statement": [UNTIL_TEN]}]}

    async def role(name):
        return None

    iam = Iam(
        role=role,
        permissions=permissions,
        session=lambda caller: (None, {}),
        resource_policies={},
        now=lambda: time,
    )

    async def may_send():
        return await iam.role_can(ROLE, "sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:visits")

    before = asyncio.run(may_send())
    time = 11.0

    assert (before, asyncio.run(may_send())) == (True, False)
