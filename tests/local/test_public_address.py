"""Where a browser finds the local cloud, and which requests a proxy may hand on."""

from __future__ import annotations

import pytest

from labkit.local.api_call import Headers, HttpRequest
from labkit.local.front_door.public_address import PublicAddress, public_address, without_what_is_the_proxys

ENDPOINT = "http://127.0.0.1:4566"
HUB = {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"}


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, ENDPOINT),
        (HUB, "/user/ada/proxy/4566"),
        ({**HUB, "JUPYTERHUB_PUBLIC_URL": "https://hub.example.org/user/ada/"}, "https://hub.example.org/user/ada/proxy/4566"),
        ({**HUB, "LABKIT_PUBLIC_URL": "https://ada-{port}.example.dev/"}, "https://ada-4566.example.dev"),
        ({"LABKIT_PUBLIC_URL": "/proxy/{port}"}, "/proxy/4566"),
    ],
)  # fmt: skip
def test_the_address_is_the_chosen_one_else_the_hubs_else_its_own(environment, url):
    """JupyterHub says under which path it started the server, and its host's name only if it was told."""
    assert public_address(environment, ENDPOINT, 4566).url == url


def request(**headers: str) -> HttpRequest:
    return HttpRequest("GET", "/_labkit/inbox", "", Headers([(n.replace("_", "-"), v) for n, v in headers.items()]))


@pytest.mark.parametrize(
    ("url", "headers", "known"),
    [
        ("/user/ada/proxy/4566", {"Host": "hub.example.org", "X_Forwarded_Context": "/user/ada/proxy/4566"}, True),
        ("/user/ada/proxy/4566", {"Host": "evil.example", "X_Forwarded_Context": "/user/eve/proxy/4566"}, False),
        ("/user/ada/proxy/4566", {"Host": "evil.example"}, False),
        ("https://ada.example.dev", {"Host": "ada.example.dev:443"}, True),
        ("https://ada.example.dev", {"Host": "evil.example"}, False),
        (ENDPOINT, {"Host": "evil.example", "X_Forwarded_Context": ""}, False),
    ],
)
def test_only_the_proxy_of_the_public_address_is_let_in(url, headers, known):
    """A page that gave 127.0.0.1 a name of its own (DNS rebinding) stays outside."""
    assert PublicAddress(url, ENDPOINT).leads_here(request(**headers)) is known


def test_a_function_does_not_see_the_login_at_the_hub():
    """Its event goes into logs and queues."""
    proxied = request(Host="h", Cookie="jupyterhub-session=1", X_Forwarded_Context="/p", X_ProxyContextPath="/p", A="b")

    assert without_what_is_the_proxys(proxied).headers.items == [("Host", "h"), ("A", "b")]


@pytest.mark.parametrize(
    ("url", "mail", "link"),
    [
        ("/user/ada/proxy/4566", ENDPOINT, f"{ENDPOINT}/_labkit/sns/confirm?Token=1"),
        ("https://ada.example.dev", "https://ada.example.dev", "https://ada.example.dev/_labkit/sns/confirm?Token=1"),
    ],
)
def test_a_mail_has_a_whole_address_and_the_inbox_a_link_that_works_behind_any_proxy(url, mail, link):
    """What the kernel can open, and what the browser can."""
    address = PublicAddress(url, ENDPOINT)

    assert (address.for_mail, address.relative(link)) == (mail, "sns/confirm?Token=1")
    assert address.relative("https://example.com/_labkit/sns") == "https://example.com/_labkit/sns"
