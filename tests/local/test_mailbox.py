"""The inbox: real SMTP in, newest first, everything escaped."""

from __future__ import annotations

import asyncio

from labkit.local.inbox_page import inbox_page
from labkit.local.mailbox import Mailbox, Relay
from labkit.local.sns.email import notification_mail


def test_mails_of_one_second_come_newest_first_and_long_lines_arrive_whole(tmp_path):
    """An event is one line, longer than SMTP allows; and a test that reads the newest mail must get it."""
    numbers = list(range(30))

    async def send_all():
        mailbox = Mailbox(tmp_path / "mail")
        relay = Relay("127.0.0.1", await mailbox.start())
        for number in numbers:
            mail = notification_mail(
                subscription_arn="arn",
                display_name="",
                endpoint="a@example.com",
                subject=str(number),
                message="x" * 2000 + "é" * (number % 2),
                token="t",
                base_url="http://x",
            )
            await relay.send("no-reply@sns.amazonaws.com", "a@example.com", mail)
        mailbox.close()
        return mailbox.messages("a@example.com"), mailbox.messages("b@example.com")

    mine, others = asyncio.run(send_all())

    assert [int(mail["subject"]) for mail in mine] == numbers[::-1]
    assert ({mail["body"].splitlines()[0].rstrip("é") for mail in mine}, others) == ({"x" * 2000}, [])


def test_the_page_escapes_what_came_by_mail():
    """A mail is outside input."""
    mail = {"subject": "<script>", "from": "a", "to": "b", "date": "d", "body": "<b> http://x/?a=1&b=2 \"'"}

    page = inbox_page([mail], '"><i>', str)

    assert "<script>" not in page
    assert "<b>" not in page
    assert "<i>" not in page
    assert '<a href="http://x/?a=1&amp;b=2" rel="noopener">' in page
