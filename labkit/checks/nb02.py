"""Checks of notebook 02: a bucket policy tried by a stranger, and a website opened by its address."""

from __future__ import annotations

import json
import re
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from labkit.checks.prediction import prediction
from labkit.checks.verdict import Verdict, correct, not_yet
from labkit.cloud import settings, tags
from labkit.endpoints import website_url
from labkit.names import name

PATIENCE = 15.0  # seconds that AWS may take until a policy or a website works
NO_BUCKET = "the bucket of the pictures is not there; run the cell under Exercise that makes it, then this one again"


# --- 02.1: the policy ---------------------------------------------------------------------------


def readers_policy(policy: Any) -> Verdict:
    """Put the policy on the bucket, try as a stranger, put it on another bucket, and restore what was there."""
    if isinstance(policy, str):
        try:
            policy = json.loads(policy)
        except ValueError:
            return not_yet("that text is no JSON; a dict is easier, the check makes the JSON")
    if not isinstance(policy, dict):
        return not_yet(f"the policy is a {type(policy).__name__}; it should be a dict with Version and Statement")
    pictures = name("visits-pictures", bucket=True)
    if not _exists(pictures):
        return not_yet(NO_BUCKET)
    with _kept(pictures):
        try:
            boto3.client("s3").put_bucket_policy(Bucket=pictures, Policy=json.dumps(policy))
        except ClientError as error:
            return not_yet(_refusal(error, policy, pictures))
        verdict = _tried(pictures, policy)
    return verdict or _on_another_bucket(policy) or correct("a stranger may read, and only read, and only there")


def _refusal(error: ClientError, policy: dict[str, Any], bucket: str) -> str:
    """Explain why S3 did not take the policy."""
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    text = json.dumps(policy)
    if code == "AccessDenied":
        return "the first lock is closed again (BlockPublicPolicy); run the cell that makes the bucket of the pictures"
    if "Action does not apply" in message:
        if "ListBucket" in text or "s3:List" in text:
            return "S3 refuses it: listing is done to the bucket, not to its objects; and nobody should list anyway"
        return f"S3 refuses it: an object is read, and your Resource is the bucket itself; objects are {bucket}/*"
    if "Principal" in message or "principal" in message:
        return f"S3 refuses it ({message}): a policy on a bucket must say who; a stranger is the star"
    if "invalid resource" in message:
        return f"S3 refuses it: Resource must be in this bucket and no other: arn:aws:s3:::{bucket}/*"
    return f"S3 refuses it: {message}"


def _tried(bucket: str, policy: dict[str, Any]) -> Verdict | None:
    """Do as a stranger what should work, and what should not."""
    s3, stranger = boto3.client("s3"), _stranger()
    probe = f"check/{secrets.token_hex(4)}.txt"
    s3.put_object(Bucket=bucket, Key=probe, Body=b"check", ContentType="text/plain")
    try:
        if not _eventually(lambda: _may(stranger.get_object, Bucket=bucket, Key=probe)):
            return not_yet(_why_closed(policy, stranger, bucket))
        forbidden: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
            "list the bucket": (stranger.list_objects_v2, {}),
            "write objects": (stranger.put_object, {"Key": f"{probe}.new", "Body": b"x"}),
            "read more of an object than itself (its tags)": (stranger.get_object_tagging, {"Key": probe}),
            "delete objects": (stranger.delete_object, {"Key": f"{probe}.new"}),
        }
        opened = [what for what, (call, arguments) in forbidden.items() if _may(call, Bucket=bucket, **arguments)]
    finally:
        for key in (probe, f"{probe}.new"):
            s3.delete_object(Bucket=bucket, Key=key)
    return not_yet(f"a stranger can read, but can also {', '.join(opened)}: allow one action only") if opened else None


def _why_closed(policy: dict[str, Any], stranger: Any, bucket: str) -> str:
    statements = policy.get("Statement")
    listed = [one for one in (statements if isinstance(statements, list) else [statements]) if isinstance(one, dict)]
    principals = json.dumps([one.get("Principal") for one in listed])
    if re.search(r"\d{12}|amazonaws", principals):
        return (
            f"a stranger still gets 403: Principal is {principals[1:-1]}, and a stranger has no account; use the star"
        )
    if any(one.get("Condition") for one in listed):
        return "a stranger still gets 403: the Condition does not hold for everybody; leave it out"
    if any(one.get("Effect") == "Deny" for one in listed):
        return "a stranger still gets 403: a Deny always wins; one statement with Allow is enough"
    if _may(stranger.get_object, Bucket=bucket, Key="shoe.svg"):
        return "a stranger can read the shoe, but no other object: Resource should end in /*, which is every key"
    return "a stranger still gets 403: the action that reads an object is s3:GetObject, and objects are bucket/*"


def _on_another_bucket(policy: dict[str, Any]) -> Verdict | None:
    s3, other = boto3.client("s3"), name(f"visits-check-{secrets.token_hex(3)}", bucket=True)
    region: Any = settings()["region"]
    if region == "us-east-1":
        s3.create_bucket(Bucket=other)
    else:
        s3.create_bucket(Bucket=other, CreateBucketConfiguration={"LocationConstraint": region})
    try:
        s3.put_bucket_tagging(Bucket=other, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in tags().items()]})
        s3.put_object(Bucket=other, Key="secret.txt", Body=b"nobody's business")
        s3.delete_public_access_block(Bucket=other)
        try:
            s3.put_bucket_policy(Bucket=other, Policy=json.dumps(policy))
        except ClientError:
            return None
        if _may(_stranger().get_object, Bucket=other, Key="secret.txt"):
            return not_yet("put on another bucket, your policy opens that one too: name this bucket, without a star")
        return None
    finally:
        s3.delete_object(Bucket=other, Key="secret.txt")
        s3.delete_bucket(Bucket=other)


@contextmanager
def _kept(bucket: str) -> Iterator[None]:
    """Leave the bucket's policy as it was."""
    s3 = boto3.client("s3")
    try:
        before = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    except ClientError:
        before = None
    try:
        yield
    finally:
        if before is None:
            s3.delete_bucket_policy(Bucket=bucket)
        else:
            s3.put_bucket_policy(Bucket=bucket, Policy=before)


def _stranger() -> Any:
    """A client of somebody without an account."""
    return boto3.client("s3", config=Config(signature_version=UNSIGNED))


def _may(call: Callable[..., Any], **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError:
        return False
    return True


def _exists(bucket: str) -> bool:
    return _may(boto3.client("s3").head_bucket, Bucket=bucket)


def _eventually(probe: Callable[[], bool]) -> bool:
    """Ask once; on AWS, where changes need seconds, again and again for a while."""
    deadline = time.monotonic() + (PATIENCE if settings()["cloud"] == "aws" else 0)
    while not probe():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.5)
    return True


# --- 02.2: the website --------------------------------------------------------------------------


def two_pages(site_keys: Any) -> Verdict:
    """Open both pages by the website's address."""
    if not isinstance(site_keys, dict) or set(site_keys) != {"page", "error page"}:
        return not_yet('site_keys is a dict with two keys, "page" and "error page"')
    for what, key in site_keys.items():
        if not isinstance(key, str) or "://" in key:
            return not_yet(f"{what} is {key!r}; give the object's key, such as about.html, not an address")
        if key.startswith("/"):
            return not_yet(f"{what} begins with a slash: then the key has one too, and no address leads to it")
    pictures = name("visits-pictures", bucket=True)
    if not _exists(pictures):
        return not_yet(NO_BUCKET)
    return (
        _page_opens(pictures, site_keys["page"])
        or _error_page_shows(pictures, site_keys["error page"])
        or correct("the page opens in a browser, and whoever takes a wrong turn meets your error page")
    )


def _page_opens(bucket: str, key: str) -> Verdict | None:
    _eventually(lambda: _visit(bucket, key)[0] == 200)
    status, kind, body = _visit(bucket, key)
    if status != 200:
        return not_yet(_why_no_page(bucket, key, status, body))
    if not kind.startswith("text/html"):
        return not_yet(
            f"{key} comes as {kind}, so a browser downloads it: "
            'upload it again with ContentType="text/html; charset=utf-8"'
        )
    return None


def _why_no_page(bucket: str, key: str, status: int, body: bytes) -> str:
    if b"NoSuchWebsiteConfiguration" in body:
        return "the bucket is no website yet: put_bucket_website is missing"
    s3 = boto3.client("s3")
    if not _may(s3.head_object, Bucket=bucket, Key=key):
        if _may(s3.head_object, Bucket=bucket, Key=f"/{key}"):
            return (
                f"there is an object /{key}, with a slash in front; the address leads to {key}: upload it by that key"
            )
        return f"there is no object with the key {key}: put_object is missing, or its Key is another"
    return f"{key} is there, and a stranger gets {status}: the policy that lets anyone read is missing"


def _error_page_shows(bucket: str, key: str) -> Verdict | None:
    s3 = boto3.client("s3")
    named = s3.get_bucket_website(Bucket=bucket).get("ErrorDocument", {}).get("Key")
    if named is None:
        return not_yet("the website names no ErrorDocument; put_bucket_website again, with it")
    if "://" in named or named.startswith("/"):
        return not_yet(f"the website's ErrorDocument is {named!r}; it is a key in this bucket, not an address")
    if named != key:
        return not_yet(f"the website's ErrorDocument is {named!r}, and your answer says {key!r}")
    if not _may(s3.head_object, Bucket=bucket, Key=key):
        return not_yet(f"there is no object with the key {key}, so there is no error page to show")
    document = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    nowhere = f"nothing-here-{secrets.token_hex(4)}"
    if not _eventually(lambda: _visit(bucket, nowhere)[2] == document):
        return not_yet(f"a page that is not there does not show {key}; can a stranger read that object?")
    status, kind, _ = _visit(bucket, nowhere)
    if status not in (403, 404):
        return not_yet(f"a page that is not there answers {status}; it should stay an error")
    if not kind.startswith("text/html"):
        return not_yet(f"the error page comes as {kind}: give {key} its ContentType too")
    return None


def _visit(bucket: str, key: str) -> tuple[int, str, bytes]:
    """Open a page of the website: status, content type, body."""
    try:
        address = website_url(bucket, kernel=True) + key
        with urllib.request.urlopen(address, timeout=10) as page:  # noqa: S310  the address is the website's own
            return page.status, page.headers.get("Content-Type", ""), page.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers.get("Content-Type", ""), refused.read()


CHECKS: dict[str, Callable[..., Verdict]] = {
    "1": readers_policy,
    "2": two_pages,
    "predict": prediction(
        right="b",
        replies={
            "a": "one lock is open, but there are two: nobody has allowed anything yet, and that is a no",
            "b": "opening the first lock only permits that somebody be let in; it lets nobody in yet",
            "c": "S3 does not say whether a page exists to somebody who may not look: it says 403",
        },
    ),
}
