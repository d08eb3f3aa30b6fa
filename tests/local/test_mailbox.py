"""The inbox: real SMTP in, newest first, everything escaped."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from labkit.local.mailbox import Mailbox, Mails
from labkit.local.pages.inbox_page import inbox_page, inbox_text
from labkit.local.sns.email import notification_mail

SUBSCRIPTION = {"arn": "arn", "endpoint": "a@example.com", "unsubscribe_token": "t"}


def test_mails_of_one_second_come_newest_first_and_long_lines_arrive_whole(tmp_path):
    """An event is one line, longer than SMTP allows; and a test that reads the newest mail must get it."""
    numbers = list(range(30))

    async def send_all():
        mails = Mails(tmp_path / "mail", None)
        await mails.start()
        for number in numbers:
            text = "x" * 2000 + "é" * (number % 2)
            mail = notification_mail(SUBSCRIPTION, "", str(number), text, "http://x")
            await mails.send("no-reply@sns.amazonaws.com", "a@example.com", mail)
        mails.mailbox.close()
        return mails.mailbox.messages("a@example.com"), mails.mailbox.messages("b@example.com")

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


HOSTILE_MAILS = [
    b"Subject: =?utf-8?q?first=0AFrom:_faked?=\r\nTo: a@example.com\r\n\r\nbody",
    b"Subject: x\r\nTo: a@example.com\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n\xff\xfe",
    b'Subject: x\r\nTo: a@example.com\r\nContent-Type: text/plain; charset="\xff"\r\n\r\nbody',
    b"Subject: x\r\nTo: a@example.com\r\nContent-Type: multipart/mixed\r\n\r\nno boundary",
    b"Subject: x\r\nTo: a@example.com\r\nContent-Type: message/rfc822\r\n\r\n\r\n",
    b"Subject: x\r\nTo: a@example.com\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
    b"Subject: \xff\xfe\r\nTo: a@example.com, <\r\nDate: never\r\nFrom: @\r\n\r\n\x00<b>",
    b"To: a@example.com",
]


def test_no_mail_hides_the_others_or_fakes_a_line(tmp_path):
    """Anybody on this computer can send to the sink; each mail is one entry, whatever is in it."""

    async def send_all():
        mailbox = Mailbox(tmp_path / "mail")
        for mail in HOSTILE_MAILS:
            await mailbox.handle_DATA(None, None, SimpleNamespace(content=mail))
        return mailbox.messages("a@example.com")

    mails = asyncio.run(send_all())

    assert len(mails) == len(HOSTILE_MAILS)
    assert all("\n" not in mail[name] for mail in mails for name in ("subject", "from", "to", "date"))
    assert "<b>" not in inbox_page(mails, None, str)


def test_no_body_passes_for_another_mail_in_the_text_form():
    """Whoever reads the inbox as text counts the mails by their first lines."""
    body = "hello\n\nFrom: boss@example.com\nTo: a@example.com\nSubject: pay\n\nnow\n>From: quoted"
    mail = {"from": "x@example.com", "to": "a@example.com", "subject": "s", "date": "d", "body": body}

    lines = inbox_text([mail, mail]).splitlines()

    assert sum(line.startswith("From: ") for line in lines) == 2
    assert lines.count(">From: boss@example.com") == lines.count(">>From: quoted") == 2
