"""The mails that SNS sends.

https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr, make_msgid
from typing import Any

from labkit.local.sns.notification import subscribe_url, unsubscribe_url

SENDER = "no-reply@sns.amazonaws.com"
SENDER_NAME = "AWS Notifications"
LONGEST_LINE = 900  # SMTP allows 998: an event in one line is longer
NO_SUBJECT = "AWS Notification Message"


def confirmation_mail(subscription: dict[str, Any], base_url: str) -> bytes:
    """Return the mail that asks to confirm a subscription; the topic's display name is not in it."""
    topic_arn, link = subscription["topic"], subscribe_url(subscription, base_url)
    body = (
        "You have chosen to subscribe to the topic:\n"
        f"{topic_arn}\n\n"
        "To confirm this subscription, open the link below (if this was in error, no action is necessary):\n"
        f"{link}\n"
    )
    return _mail(SENDER_NAME, subscription["endpoint"], "AWS Notification - Subscription Confirmation", body)


def notification_mail(
    subscription: dict[str, Any], display_name: str, subject: str | None, message: str, base_url: str
) -> bytes:
    """Return the mail that carries a message of the topic, with the link to unsubscribe behind it."""
    link = unsubscribe_url(subscription, base_url)
    body = (
        f"{message}\n\n--\n"
        "If you wish to stop receiving notifications from this topic, please click or visit the link below to "
        "unsubscribe:\n"
        f"{link}\n\n"
        "Please do not reply directly to this email. If you have any questions or comments regarding this email, "
        "please contact us at https://aws.amazon.com/support\n"
    )
    return _mail(display_name or SENDER_NAME, subscription["endpoint"], subject or NO_SUBJECT, body)


def _mail(sender_name: str, to: str, subject: str, body: str) -> bytes:
    mail = EmailMessage()
    mail["From"] = formataddr((sender_name, SENDER))
    mail["To"] = to
    mail["Subject"] = subject
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = make_msgid(domain="sns.amazonaws.com")
    longest = max(len(line) for line in body.splitlines())
    mail.set_content(body, cte="quoted-printable" if longest > LONGEST_LINE else None)
    return mail.as_bytes(policy=SMTP)
