"""S3 static websites: a bucket read by anybody, over HTTP.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html
"""

from __future__ import annotations

import base64
import html
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, unquote

from labkit.local.api_call import HttpRequest, HttpResponse

BASE_PATH = "/_aws/s3-website"
NOT_IN_HOST = re.compile(r"[^\w.:\[\]-]", re.ASCII)
TITLES = {403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}


class Website:
    """The website endpoint of every bucket."""

    def __init__(
        self,
        *,
        exists: Callable[[str], Awaitable[bool]],
        configuration: Callable[[str], Awaitable[dict[str, Any] | None]],
        get_object: Callable[[str, str], Awaitable[Any]],
        anybody_may: Callable[..., Awaitable[bool]],
    ) -> None:
        self._exists, self._configuration, self._get_object = exists, configuration, get_object
        self._anybody_may = anybody_may

    async def handle(self, request: HttpRequest, bucket: str, raw_key: str) -> HttpResponse:
        """Answer one request of a browser."""
        if request.method not in ("GET", "HEAD"):
            text = "The specified method is not allowed against this resource."
            return error_page(405, "MethodNotAllowed", text, Method=request.method, ResourceType="OBJECT")
        if not await self._exists(bucket):
            return error_page(404, "NoSuchBucket", "The specified bucket does not exist", BucketName=bucket)
        configuration = await self._configuration(bucket)
        if configuration is None:
            text = "The specified bucket does not have a website configuration"
            return error_page(404, "NoSuchWebsiteConfiguration", text, BucketName=bucket)
        base = f"{BASE_PATH}/{bucket}" if request.path.startswith(BASE_PATH) else ""
        if redirect := configuration.get("RedirectAllRequestsTo"):
            protocol = redirect.get("Protocol") or "http"
            return HttpResponse(301, headers={"Location": f"{protocol}://{redirect['HostName']}/{raw_key}"})
        key = unquote(raw_key)
        if rule := _rule(configuration, key, None):
            return _redirect(rule, key, request, base)
        suffix = configuration["IndexDocument"]["Suffix"]
        wanted = key + suffix if key == "" or key.endswith("/") else key
        response = await self._object(request, bucket, wanted, base)
        if (
            response.status in (403, 404)
            and wanted == key
            and (await self._object(request, bucket, f"{key}/{suffix}", base)).status == 200
        ):
            return HttpResponse(302, headers={"Location": f"{base}/{quote(key)}/"})
        if response.status < 400:
            return response
        if rule := _rule(configuration, key, response.status):
            return _redirect(rule, key, request, base)
        error_key = (configuration.get("ErrorDocument") or {}).get("Key")
        document = await self._object(request, bucket, error_key, base) if error_key else response
        return _with_error_document(response, document) if error_key else response

    async def _object(self, request: HttpRequest, bucket: str, key: str, base: str) -> HttpResponse:
        if not await self._anybody_may("s3:GetObject", bucket, key):
            return error_page(403, "AccessDenied", "Access Denied")
        stored = await self._get_object(bucket, key)
        if stored is None:
            # Who may not list is not told whether a key exists.
            if await self._anybody_may("s3:ListBucket", bucket):
                return error_page(404, "NoSuchKey", "The specified key does not exist.", Key=key)
            return error_page(403, "AccessDenied", "Access Denied")
        if redirect := stored.website_redirect:
            return HttpResponse(301, headers={"Location": base + redirect if redirect.startswith("/") else redirect})
        headers = {
            **stored.headers,
            "Content-Type": stored.content_type,
            "ETag": stored.etag,
            "Last-Modified": f"{stored.last_modified:%a, %d %b %Y %H:%M:%S GMT}",
        }
        if request.headers.get("if-none-match") == stored.etag:
            return HttpResponse(304, headers=headers)
        return HttpResponse(200, stored.body, headers)


def _rule(configuration: dict[str, Any], key: str, status: int | None) -> dict[str, Any] | None:
    for rule in configuration.get("RoutingRules") or []:
        condition = rule.get("Condition") or {}
        code, prefix = condition.get("HttpErrorCodeReturnedEquals"), condition.get("KeyPrefixEquals")
        if (
            (code is None) == (status is None)
            and (code is None or int(code) == status)
            and key.startswith(prefix or "")
        ):
            return dict(rule)
    return None


def _redirect(rule: dict[str, Any], key: str, request: HttpRequest, base: str) -> HttpResponse:
    target, prefix = rule["Redirect"], (rule.get("Condition") or {}).get("KeyPrefixEquals") or ""
    new_key = target.get("ReplaceKeyWith")
    if new_key is None:
        new_key = (
            (target.get("ReplaceKeyPrefixWith") or "") + key[len(prefix) :] if "ReplaceKeyPrefixWith" in target else key
        )
    host = target.get("HostName")
    place = NOT_IN_HOST.sub("", host) if host else f"{request.headers.get('host')}{base}"
    location = f"{target.get('Protocol') or 'http'}://{place}/{quote(new_key)}"
    return HttpResponse(int(target.get("HttpRedirectCode") or 301), headers={"Location": location})


def _with_error_document(response: HttpResponse, document: HttpResponse) -> HttpResponse:
    """Show the error document with the error's status; where it cannot be shown, the error's page says why."""
    if document.status == 301:
        return document
    if document.status == 200:
        document.status = response.status
        return document
    heading = b"<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n"
    facts = document.body.partition(b"<ul>\n")[2].partition(b"<li>RequestId")[0]
    note = heading + b"<ul>\n" + facts + b"</ul>\n<hr/>"
    return HttpResponse(response.status, response.body.replace(b"<hr/>", note), response.headers)


def error_page(status: int, code: str, message: str, **details: str) -> HttpResponse:
    """Return the page by which the website endpoint tells of an error."""
    ids = {"RequestId": secrets.token_hex(8).upper(), "HostId": base64.b64encode(secrets.token_bytes(56)).decode()}
    facts = {"Code": code, "Message": message, **details, **ids}
    items = "".join(f"<li>{html.escape(name)}: {html.escape(value)}</li>\n" for name, value in facts.items())
    title = f"{status} {TITLES[status]}"
    body = (
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n{items}</ul>\n<hr/>\n"
        "</body>\n</html>\n"
    )
    headers = {"Content-Type": "text/html; charset=utf-8"}
    return HttpResponse(status, body.encode(), headers | ({"Allow": "GET, HEAD"} if status == 405 else {}))
