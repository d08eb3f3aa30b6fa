"""Who may do what, where the answer changes without anything being written."""

from __future__ import annotations

import asyncio

from labkit.local.api_call import ApiCall, Caller, Headers, HttpRequest
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


def test_a_policy_that_is_changed_while_a_call_is_judged_counts_for_the_next_call():
    """The verdict that was under way is by the old policy; it must not be remembered beyond the change."""
    queue, allows = "arn:aws:sqs:us-east-1:123456789012:visits", True
    user = Caller("user", "arn:aws:iam::123456789012:user/anna")
    call = ApiCall("sqs", "SendMessage", {}, "us-east-1", user, "1", HttpRequest("POST", "/", "", Headers([])))
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def permissions(arn):
        reading.set()
        await go_on.wait()
        return {"identity": []}

    async def queue_policy(arn):
        effect, principal = "Allow" if allows else "Deny", {"AWS": user.arn}
        return {"Statement": [{"Effect": effect, "Principal": principal, "Action": "sqs:*", "Resource": queue}]}

    async def judge_while_the_policy_changes():
        nonlocal allows
        iam = Iam(
            role=None,
            permissions=permissions,
            session=lambda caller: (None, {}),
            resource_policies={"sqs": queue_policy},
            now=lambda: 0.0,
        )
        judging = asyncio.create_task(iam.why_not(call, "sqs:SendMessage", queue))
        await reading.wait()
        allows = False
        iam.observe(ApiCall("sqs", "SetQueueAttributes", {}, "us-east-1", user, "2", call.http), {}, None)
        go_on.set()
        return await judging, await iam.why_not(call, "sqs:SendMessage", queue)

    during, after = asyncio.run(judge_while_the_policy_changes())

    assert (during, "explicit deny" in after) == ("", True)
