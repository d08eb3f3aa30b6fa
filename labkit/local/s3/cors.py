"""Cross-origin requests to S3: what a bucket lets the pages of other origins do.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from labkit.local.api_call import ApiCall, AwsError, Forward, HttpRequest, HttpResponse, malformed_xml
from labkit.local.s3.access import is_unsigned_s3_request

Rule = dict[str, Any]
Answer = Callable[[HttpRequest], Awaitable[HttpResponse]]
METHODS = ("GET", "PUT", "HEAD", "POST", "DELETE")
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
NOT_ALLOWED = (
    "This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)  # sic


class Cors:
    """Stands before every S3 call: answers preflights, and adds to answers what lets a page read them."""

    def __init__(
        self,
        *,
        rules: Callable[[str], Awaitable[list[Rule] | None]],
        answer: Answer,
        error: Callable[[str, HttpRequest, AwsError, str], HttpResponse],
    ) -> None:
        self._rules, self._answer, self._error = rules, answer, error

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request."""
        if "origin" not in request.headers and request.method != "OPTIONS":
            return await self._answer(request)
        if request.method != "OPTIONS":
            return await self._with_cors(request)
        if not is_unsigned_s3_request(request):
            return await self._answer(request)
        try:
            return HttpResponse(200, headers=await self._preflight(request))
        except AwsError as refused:
            return self._error("s3", request, refused, str(uuid.uuid4()))

    async def _with_cors(self, request: HttpRequest) -> HttpResponse:
        bucket = _bucket(request)
        response = await self._answer(request)
        for name in [name for name in response.headers if name.lower().startswith("access-control-")]:
            del response.headers[name]  # moto's idea of it
        rules = (await self._rules(bucket) if bucket else None) or []
        response.headers |= allowed(rules, request) or {}
        return response

    async def _preflight(self, request: HttpRequest) -> dict[str, str]:
        if not request.headers.get("origin"):
            raise AwsError("BadRequest", "Insufficient information. Origin request header needed.", 400)
        method = request.headers.get("access-control-request-method") or "OPTIONS"
        rules = await self._rules(_bucket(request))
        if rules is None:
            raise _forbidden("Bucket not found", method, "BUCKET")
        if not rules:
            raise _forbidden("CORS is not enabled for this bucket.", method, "BUCKET")
        headers = allowed(rules, request)
        if headers is None:
            is_object = request.path.strip("/").count("/") > 0
            raise _forbidden(NOT_ALLOWED, method, "OBJECT" if is_object else "BUCKET")
        return headers


def allowed(rules: list[Rule], request: HttpRequest) -> dict[str, str] | None:
    """Return the CORS headers by the first rule that fits the request's origin, method and headers."""
    origin = request.headers.get("origin")
    method = request.headers.get("access-control-request-method") or request.method
    asked = [one.strip().lower() for one in request.headers.get("access-control-request-headers").split(",")]
    asked = [one for one in asked if one]
    for rule in rules:
        if (
            method in rule["AllowedMethods"]
            and any(_fits(pattern, origin) for pattern in rule["AllowedOrigins"])
            and all(any(_fits(pattern.lower(), one) for pattern in rule["AllowedHeaders"]) for one in asked)
        ):
            return _headers(rule, origin, asked)
    return None


def _headers(rule: Rule, origin: str, asked: list[str]) -> dict[str, str]:
    anybody = "*" in rule["AllowedOrigins"]
    headers = {
        "Access-Control-Allow-Origin": "*" if anybody else origin,
        "Access-Control-Allow-Methods": ", ".join(rule["AllowedMethods"]),
        "Access-Control-Allow-Headers": ", ".join(asked),
        "Access-Control-Expose-Headers": ", ".join(rule["ExposeHeaders"]),
        "Access-Control-Max-Age": str(rule["MaxAgeSeconds"] or ""),
        "Access-Control-Allow-Credentials": "" if anybody else "true",
        "Vary": VARY,
    }
    return {name: value for name, value in headers.items() if value}


async def put_bucket_cors(call: ApiCall, forward: Forward) -> HttpResponse:
    """Refuse rules that S3 does not take.

    Raises:
        AwsError: ``InvalidRequest`` or ``MalformedXML``.
    """
    rules = (call.params.get("CORSConfiguration") or {}).get("CORSRules") or []
    if not rules or any(not rule.get("AllowedMethods") or not rule.get("AllowedOrigins") for rule in rules):
        raise malformed_xml()
    for method in (method for rule in rules for method in rule["AllowedMethods"]):
        if method not in METHODS:
            text = f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            raise AwsError("InvalidRequest", text, 400)
    for name in ("AllowedOrigin", "AllowedHeader"):
        for value in (value for rule in rules for value in rule.get(f"{name}s") or []):
            if value.count("*") > 1:
                raise AwsError("InvalidRequest", f'{name} "{value}" can not have more than one wildcard.', 400)
    return await forward(call)


def _fits(pattern: str, value: str) -> bool:
    return fnmatchcase(value, pattern.replace("[", "[[]").replace("?", "[?]"))


def _bucket(request: HttpRequest) -> str:
    host = request.host
    if ".s3." in host:
        return host.partition(".s3.")[0]
    return unquote(request.path.strip("/").partition("/")[0])


def _forbidden(reason: str, method: str, resource_type: str) -> AwsError:
    return AwsError("AccessForbidden", f"CORSResponse: {reason}", 403, Method=method, ResourceType=resource_type)
