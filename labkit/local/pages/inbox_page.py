"""The page on which the mails of the local cloud are read."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; background: light-dark(#eef1f7, #11151f); color: light-dark(#1d2433, #e8ebf2);
  font: 1.0625rem/1.5 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 52rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
.hint { margin: 0 0 1.5rem; color: light-dark(#596176, #a9b1c4); }
article { background: light-dark(#fff, #1b2130); border-radius: .75rem; padding: 1rem 1.25rem; margin-bottom: 1rem;
  box-shadow: 0 2px 8px rgb(0 0 0 / 10%); }
h2 { font-size: 1.15rem; margin: 0 0 .25rem; }
.facts { margin: 0 0 .75rem; font-size: .9rem; color: light-dark(#596176, #a9b1c4); overflow-wrap: anywhere; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere;
  font: .9rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
a { color: light-dark(#0b57a4, #7db6f5); }
"""
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'",
    "X-Content-Type-Options": "nosniff",
}
FROM = re.compile(r"^(?=>*From: )", re.MULTILINE)
LINK = re.compile(r"https?://[^\s<>\"]+")


def inbox_page(messages: list[dict[str, str]], address: str | None, link: Callable[[str], str]) -> str:
    """Return the inbox as HTML; everything that came by mail is escaped, links can be opened.

    *link* turns an address in a mail into what its link opens.
    """
    whose = f" of {html.escape(address)}" if address else ""
    mails = "".join(_mail(message, link) for message in messages)
    empty = "<p>No mail yet. A topic sends one when somebody subscribes an e-mail address to it.</p>"
    return page(
        "Inbox", f"<h1>Inbox{whose}</h1><p class='hint'>{len(messages)} mail(s), newest first.</p>{mails or empty}"
    )


def inbox_text(messages: list[dict[str, str]]) -> str:
    """Return the inbox as text; a line of a body that could pass for the beginning of the next mail gets a ``>``."""
    return "\n\n".join(
        f"From: {m['from']}\nTo: {m['to']}\nSubject: {m['subject']}\n\n{FROM.sub('>', m['body'])}" for m in messages
    )


def page(title: str, content: str) -> str:
    """Return a small page of the local cloud around *content*, which is HTML already."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style></head><body><main>{content}</main></body></html>"
    )


def _mail(message: dict[str, Any], link: Callable[[str], str]) -> str:
    subject, facts = (
        html.escape(message["subject"]),
        html.escape(f"{message['from']} → {message['to']} · {message['date']}"),
    )
    return (
        f'<article><h2>{subject}</h2><p class="facts">{facts}</p><pre>{_linked(message["body"], link)}</pre></article>'
    )


def _linked(text: str, link: Callable[[str], str]) -> str:
    parts, position = [], 0
    for found in LINK.finditer(text):
        shown = html.escape(found[0])
        anchor = f'<a href="{html.escape(link(found[0]))}" rel="noopener">{shown}</a>'
        parts += [html.escape(text[position : found.start()]), anchor]
        position = found.end()
    return "".join([*parts, html.escape(text[position:])])
