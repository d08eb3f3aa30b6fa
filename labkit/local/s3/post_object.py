"""POST Object: a form uploads to a bucket; a signed policy says what it may upload.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
"""

from __future__ import annotations

import hmac
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlencode
from xml.sax.saxutils import escape

from labkit.local.api_call import AwsError, Headers, HttpRequest, HttpResponse, Signed
from labkit.local.front_door import signature_errors as errors
from labkit.local.front_door.presigned_url import sign_v2
from labkit.local.front_door.signature import SHAPE_OF_CREDENTIAL, SecretOf, secret_for, sign
from labkit.local.s3.errors import invalid_argument
from labkit.local.s3.post_policy import check_post_policy

Answer = Callable[[HttpRequest], Awaitable[HttpResponse]]
V4 = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature")
V2 = ("AWSAccessKeyId", "Signature")
DISPOSITION = re.compile(
    rb'(?i)content-disposition:[^\r\n]*?[; ]name="(?P<name>[^"]*)"(?:;\s*filename="(?P<file>[^"]*)")?'
)
TAG = re.compile(r"<Key>(.*?)</Key>\s*<Value>(.*?)</Value>", re.DOTALL)
AMZ_HEADERS = ("x-amz-checksum-", "x-amz-meta-", "x-amz-server-side-", "x-amz-storage-", "x-amz-website-")
HEADERS = ("content-type", "cache-control", "content-disposition", "content-encoding", "expires")


@dataclass(frozen=True, slots=True)
class Form:
    """What was posted: *fields* by their names in lower case, and the file."""

    fields: dict[str, str]
    file: bytes
    file_name: str


class PostObject:
    """Stands before every API call, and turns a form that uploads into PutObject."""

    def __init__(
        self,
        *,
        answer: Answer,
        ready: Callable[[], Awaitable[None]],
        secret_of: SecretOf,
        now: Callable[[], float],
        error: Callable[[str, HttpRequest, AwsError, str], HttpResponse],
    ) -> None:
        self._answer, self._secret_of, self._now, self._error = answer, secret_of, now, error
        self._ready = ready

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request."""
        if request.method != "POST" or not request.headers.get("content-type").startswith("multipart/form-data"):
            return await self._answer(request)
        await self._ready()
        try:
            form = read_form(request)
            bucket, key = unquote(request.path.strip("/")), _key(form)
            put = _put_object(request, form, bucket, key, self._verify(form, bucket, key))
        except AwsError as refused:
            return self._error("s3", request, refused, str(uuid.uuid4()))
        response = await self._answer(put)
        return response if response.status >= 300 else _created(request, form, bucket, key, response)

    def _verify(self, form: Form, bucket: str, key: str) -> Signed | None:
        """Check the signature and the policy; ``None`` for a form that carries no policy: anybody's."""
        fields = form.fields
        if "policy" not in fields:
            return None
        version_2 = any(name.lower() in fields for name in V2)
        if not version_2 and not any(name.lower() in fields for name in V4):
            raise AwsError("AccessDenied", "Access Denied", 403)
        for name in V2 if version_2 else V4:
            _need(fields, name)
        signed = (self._verify_v2 if version_2 else self._verify_v4)(fields)
        check_post_policy(fields["policy"], {**fields, "bucket": bucket, "key": key}, len(form.file), self._now())
        return signed

    def _verify_v4(self, fields: dict[str, str]) -> Signed:
        parts, token = fields["x-amz-credential"].split("/"), fields.get("x-amz-security-token", "")
        if len(parts) != 5:
            text = "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting"
            raise AwsError("AuthorizationQueryParametersError", f"{text} {SHAPE_OF_CREDENTIAL}.", 400)
        key, date, region, service, _ = parts
        secret = secret_for("s3", key, token, self._secret_of)
        expected, given = sign(fields["policy"], (secret, date, region, service)), fields["x-amz-signature"]
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise errors.does_not_match("s3", key=key, provided=given, text=fields["policy"])
        return Signed(key, token, region, "s3")

    def _verify_v2(self, fields: dict[str, str]) -> Signed:
        key, token, given = fields["awsaccesskeyid"], fields.get("x-amz-security-token", ""), fields["signature"]
        expected = sign_v2(fields["policy"], secret_for("s3", key, token, self._secret_of))
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise errors.does_not_match("s3", key=key, provided=given, text=fields["policy"])
        return Signed(key, token, "us-east-1", "s3")


def read_form(request: HttpRequest) -> Form:
    """Read a ``multipart/form-data`` body up to its file; what follows the file counts for nothing.

    Raises:
        AwsError: ``MalformedPOSTRequest``, or ``InvalidArgument`` when there is no file.
    """
    _, found, boundary = request.headers.get("content-type").partition("boundary=")
    mark = b"--" + boundary.split(";")[0].strip().strip('"').encode()
    if not found or mark == b"--":
        raise AwsError(
            "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.", 400
        )
    fields: dict[str, str] = {}
    for part in (b"\r\n" + request.body).split(b"\r\n" + mark)[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        named = DISPOSITION.search(head)
        if named is None:
            continue
        name = named["name"].decode("utf-8", "replace").lower()
        if name == "file":
            file_name = (named["file"] or b"").decode("utf-8", "replace")
            return Form(fields, content, re.split(r"[/\\]", file_name)[-1])
        fields[name] = content.decode("utf-8", "replace")
    text = "POST requires exactly one file upload per request."
    raise invalid_argument(text, "file", "0")


def _key(form: Form) -> str:
    _need(form.fields, "key")
    return form.fields["key"].replace("${filename}", form.file_name)


def _need(fields: dict[str, str], name: str) -> None:
    if name.lower() not in fields:
        text = f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the "
        raise invalid_argument(f"{text}fields.", name)


def _put_object(request: HttpRequest, form: Form, bucket: str, key: str, signed: Signed | None) -> HttpRequest:
    kept = [(name, value) for name, value in request.headers.items if name.lower() in ("host", "user-agent", "origin")]
    for name, value in form.fields.items():
        if name in HEADERS or name.startswith(AMZ_HEADERS):
            kept.append((name, value))
    if tags := TAG.findall(form.fields.get("tagging", "")):
        kept.append(("x-amz-tagging", urlencode(tags)))
    if "acl" in form.fields:
        kept.append(("x-amz-acl", form.fields["acl"]))
    kept.append(("Content-Length", str(len(form.file))))
    if signed:
        kept.append(("Authorization", "in the form"))
    path = f"/{quote(bucket)}/{quote(key)}"
    return HttpRequest("PUT", path, "", Headers(kept), form.file, request.source_ip, signed=signed, form=True)


def _created(request: HttpRequest, form: Form, bucket: str, key: str, response: HttpResponse) -> HttpResponse:
    etag = next((value for name, value in response.headers.items() if name.lower() == "etag"), "")
    redirect = form.fields.get("success_action_redirect") or form.fields.get("redirect", "")
    if redirect.startswith(("http://", "https://")):
        query = urlencode({"bucket": bucket, "key": key, "etag": etag})
        return HttpResponse(
            303, headers={"Location": f"{redirect}{'&' if '?' in redirect else '?'}{query}", "ETag": etag}
        )
    status = form.fields.get("success_action_status", "")
    location = f"http://{request.headers.get('host')}/{quote(bucket)}/{quote(key)}"
    body = ""
    if status == "201":
        facts = {"Location": location, "Bucket": bucket, "Key": key, "ETag": etag}
        elements = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in facts.items())
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>{elements}</PostResponse>'
    headers = {"Location": location, "ETag": etag} | ({"Content-Type": "application/xml"} if body else {})
    return HttpResponse(int(status) if status in ("200", "201") else 204, body.encode(), headers)
