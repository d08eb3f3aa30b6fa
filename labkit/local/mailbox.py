"""The local cloud's own mail relay and inbox: real SMTP in, a Maildir behind it.

aiosmtpd speaks the protocol on the event loop. Sending uses the standard library's SMTP client in a thread of its own.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import mailbox
import smtplib
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP


class Mailbox:
    """An SMTP sink on a loopback port, and what it received."""

    def __init__(self, folder: Path) -> None:
        self._maildir = mailbox.Maildir(str(folder), create=True)
        self._server: asyncio.Server | None = None

    def clear(self) -> None:
        """Throw away what an earlier local cloud received: the topics and links of these mails are gone."""
        self._maildir.clear()

    async def start(self) -> int:
        """Listen on a free loopback port and return it."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, loop=loop, enable_SMTPUTF8=True), "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        """Keep one mail."""
        message = mailbox.MaildirMessage(email.message_from_bytes(envelope.content))
        self._maildir.add(message)
        return "250 OK"

    def messages(self, address: str | None = None) -> list[dict[str, str]]:
        """Return mails, newest first: ``{"from", "to", "subject", "date", "body"}``; *address* filters by recipient."""
        found = []
        for key, kept in self._maildir.items():
            fields = {name.lower(): _field(kept, name) for name in ("From", "To", "Subject", "Date")}
            if address is None or address.lower() in fields["to"].lower():
                message = email.message_from_bytes(kept.as_bytes(), policy=email.policy.default)
                assert isinstance(message, EmailMessage)
                found.append((key, {**fields, "body": _text(message)}))
        return [fields for _, fields in sorted(found, key=lambda entry: _order(entry[0]), reverse=True)]

    def __len__(self) -> int:
        """Count the mails."""
        return len(self._maildir)

    def close(self) -> None:
        """Stop listening; the mails stay."""
        if self._server:
            self._server.close()


def _field(message: Message, name: str) -> str:
    """Return a header as one line, however it was encoded; the standard library's newer parser fails on some."""
    raw = str(message[name] or "")
    try:
        raw = str(make_header(decode_header(raw)))
    except (LookupError, ValueError, MessageError):
        pass  # as it came, then
    return " ".join(raw.split())


def _text(message: EmailMessage) -> str:
    """Return what can be read of a mail; anybody on this computer may have sent it, in any charset."""
    body = message.get_body(("plain", "html"))
    if body is None:
        return ""
    try:
        return str(body.get_content())
    except (LookupError, ValueError):
        payload = body.get_payload(decode=True)
        return payload.decode(errors="replace") if isinstance(payload, bytes) else ""


def _order(key: str) -> int:
    """Return the number that the standard library counts in a Maildir key: its microseconds are not zero-padded."""
    return int(key.partition("Q")[2].partition(".")[0])


class Mails:
    """The inbox, and the way of a mail: to *relay* (``HOST:PORT``) if it was asked for, else into the inbox."""

    def __init__(self, folder: Path, relay: str | None) -> None:
        self.mailbox = Mailbox(folder)
        self.port = 0
        self._relay = relay

    async def start(self) -> None:
        """Open the inbox's SMTP port."""
        self.port = await self.mailbox.start()

    def description(self) -> dict[str, Any]:
        """Tell how many mails lie in the inbox and where mails are sent, for the health page."""
        return {"messages": len(self.mailbox), "smtp_port": self.port, "relay": self._relay or "own inbox"}

    async def send(self, sender: str, to: str, message: bytes) -> None:
        """Send one mail by SMTP.

        Raises:
            OSError: The relay cannot be reached or refuses it (``smtplib.SMTPException`` is one).
        """
        host, _, port = (self._relay or f"127.0.0.1:{self.port}").rpartition(":")
        await asyncio.to_thread(_send, host, int(port), sender, to, message)


def _send(host: str, port: int, sender: str, to: str, message: bytes) -> None:
    with smtplib.SMTP(host, port, timeout=10) as smtp:
        smtp.sendmail(sender, [to], message)
