"""The address under which a browser reaches the local cloud: its own, or that of a proxy in front of it.

Behind JupyterHub a browser sees one host, and jupyter-server-proxy hands on what is below ``…/proxy/<port>``.

https://jupyter-server-proxy.readthedocs.io/en/latest/arbitrary-ports-hosts.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from labkit.local.api_call import Headers, HttpRequest

PREFIX_HEADERS = ("x-forwarded-context", "x-forwarded-prefix")
FOR_THE_PROXY = {*PREFIX_HEADERS, "x-proxycontextpath", "cookie"}


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """*url* for a browser, *endpoint* for whoever is on this computer; without a proxy they are the same.

    Where the name of the proxy's host is not known, *url* is a path such as ``/user/ada/proxy/4566``.
    """

    url: str
    endpoint: str

    @property
    def for_mail(self) -> str:
        """The address in a mail, which cannot be a path alone."""
        return self.url if "://" in self.url else self.endpoint

    def relative(self, url: str) -> str:
        """Return a link to one of labkit's own pages so that it works on such a page, whatever proxy shows it."""
        for base in (self.endpoint, self.url):
            if url.startswith(f"{base}/_labkit/"):
                return url.removeprefix(f"{base}/_labkit/")
        return url

    def leads_here(self, request: HttpRequest) -> bool:
        """Whether the proxy of this address handed the request on: by its host's name, or by the path it says.

        A page that has got itself a name for 127.0.0.1 has another name, and no way to know the token either.
        """
        if self.url == self.endpoint:
            return False
        parts = urlsplit(self.url)
        if parts.hostname and request.host == parts.hostname:
            return True
        return bool(parts.path) and any(
            request.headers.get(name).rstrip("/") == parts.path.rstrip("/") for name in PREFIX_HEADERS
        )


def public_address(environment: Mapping[str, str], endpoint: str, port: int) -> PublicAddress:
    """Return the address for a browser.

    It is ``LABKIT_PUBLIC_URL`` if that is set (``{port}`` in it stands for the local cloud's port), else
    jupyter-server-proxy's where a JupyterHub started the server, else the local cloud's own.
    """
    chosen = environment.get("LABKIT_PUBLIC_URL", "")
    if not chosen and (
        hub := environment.get("JUPYTERHUB_PUBLIC_URL") or environment.get("JUPYTERHUB_SERVICE_PREFIX", "")
    ):
        chosen = hub.rstrip("/") + "/proxy/{port}"
    return PublicAddress((chosen or endpoint).replace("{port}", str(port)).rstrip("/"), endpoint)


def without_what_is_the_proxys(request: HttpRequest) -> HttpRequest:
    """Return the request without what the browser sent for the proxy: no function needs to see a hub's login."""
    kept = [(name, value) for name, value in request.headers.items if name.lower() not in FOR_THE_PROXY]
    return replace(request, headers=Headers(kept))
