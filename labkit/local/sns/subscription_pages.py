"""The pages that SNS's mails link to: they need no signature, since only who got the mail knows the address.

https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
"""

from __future__ import annotations

import html
from collections.abc import Callable

from labkit.local.api_call import AwsError, HttpRequest, HttpResponse
from labkit.local.pages.inbox_page import HEADERS, page
from labkit.local.sns.subscriptions import Subscriptions


class SubscriptionPages:
    """Confirm and unsubscribe, by link."""

    def __init__(self, subscriptions: Subscriptions, *, note: Callable[..., None]) -> None:
        self._subscriptions, self._note = subscriptions, note

    async def confirm(self, request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        """Confirm a subscription for the person who opened the mailed link."""
        try:
            subscription = self._subscriptions.confirm(query.get("TopicArn", ""), query.get("Token", ""))
        except AwsError:
            return _page(
                404, "This link confirms nothing", "It is not complete, has expired, or its subscription is gone."
            )
        self._note("settings")
        return _page(
            200,
            "Subscription confirmed!",
            f"You have subscribed {subscription['endpoint']} to the topic {subscription['topic']}. "
            f"Your subscription's id is: {subscription['arn']}",
        )

    async def unsubscribe(self, request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        """End a subscription for the person who opened the mailed link."""
        subscription = self._subscriptions.of_link(query.get("SubscriptionArn", ""), query.get("Token", ""))
        if subscription is None:
            return _page(
                404, "This link ends no subscription", "It is not complete, or the subscription is gone already."
            )
        if subscription["authenticate_on_unsubscribe"]:
            return _page(
                403,
                "This subscription cannot be ended by a link",
                "It was confirmed with AuthenticateOnUnsubscribe: only a signed call of Unsubscribe ends it.",
            )
        self._subscriptions.end(subscription["arn"])
        self._note("settings")
        return _page(
            200,
            "Subscription removed!",
            f"{subscription['endpoint']} gets no more messages of the topic {subscription['topic']}.",
        )


def _page(status: int, title: str, text: str) -> HttpResponse:
    content = page(title, f"<h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>")
    return HttpResponse(status, content.encode(), dict(HEADERS))
