"""The condition keys of a request: what a policy can ask about it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, Caller
from labkit.local.clock import iso
from labkit.local.policy_conditions import Context

# Headers of S3 that are condition keys under their own names.
S3_HEADERS = ("x-amz-acl", "x-amz-content-sha256", "x-amz-copy-source", "x-amz-server-side-encryption",
              "x-amz-storage-class", "x-amz-website-redirect-location")  # fmt: skip
S3_PARAMETERS = {"Prefix": "prefix", "Delimiter": "delimiter", "MaxKeys": "max-keys", "VersionId": "VersionId"}


def principal_context(arn: str, tags: Mapping[str, str], now: float) -> dict[str, str | list[str]]:
    """Return the keys that tell of a principal, whatever it asks for."""
    return {
        "aws:PrincipalArn": arn,
        "aws:PrincipalAccount": ACCOUNT_ID,
        "aws:PrincipalIsAWSService": "false",
        "aws:ResourceAccount": ACCOUNT_ID,
        "aws:SecureTransport": "true",  # as on AWS, where boto3 speaks HTTPS unless it is told otherwise
        "aws:CurrentTime": iso(now),
        "aws:EpochTime": str(int(now)),
        **{f"aws:PrincipalTag/{name}": value for name, value in tags.items()},
    }


def context_of(call: ApiCall, tags: Mapping[str, str], now: float) -> Context:
    """Return all keys of a call, with *tags* of its caller."""
    caller = call.caller
    context = principal_context(caller.role_arn or caller.arn, tags, now)
    context |= {
        "aws:PrincipalType": "AssumedRole" if caller.role_arn else "User",
        "aws:userid": user_id(caller),
        "aws:SourceIp": call.http.source_ip,
        "aws:UserAgent": call.http.headers.get("user-agent"),
        "aws:RequestedRegion": call.region,
        "aws:ViaAWSService": "false",
    }
    if not caller.role_arn:
        context["aws:username"] = caller.arn.rpartition("/")[2]
    if caller.access_key_id.startswith("ASIA"):
        context["aws:MultiFactorAuthPresent"] = "false"
    if referer := call.http.headers.get("referer"):
        context["aws:Referer"] = referer
    request_tags = _request_tags(call.params)
    if request_tags:
        context["aws:TagKeys"] = list(request_tags)
        context |= {f"aws:RequestTag/{name}": value for name, value in request_tags.items()}
    return context | _of_service(call)


def user_id(caller: Caller) -> str:
    """Return the unique id of a caller, as GetCallerIdentity tells it."""
    return f"{caller.principal_id}:{caller.session_name}" if caller.role_arn else caller.principal_id


def _of_service(call: ApiCall) -> dict[str, str | list[str]]:
    params = call.params
    if call.service == "s3":
        found = {f"s3:{name}": call.http.headers.get(name) for name in S3_HEADERS if name in call.http.headers}
        found |= {f"s3:{key}": str(params[name]) for name, key in S3_PARAMETERS.items() if params.get(name) is not None}
        return {**found, "s3:authType": "REST-HEADER", "s3:signatureversion": "AWS4-HMAC-SHA256"}
    if call.service == "sts":
        names = {"RoleSessionName": "sts:RoleSessionName", "ExternalId": "sts:ExternalId"}
        return {key: str(params[name]) for name, key in names.items() if params.get(name)}
    if call.service in ("lambda", "events", "apigateway"):
        return {"iam:PassedToService": f"{call.service}.amazonaws.com"}
    return {}


def _request_tags(params: dict[str, Any]) -> dict[str, str]:
    tags = params.get("Tags") or params.get("tags") or {}
    if isinstance(tags, Mapping):
        return {str(name): str(value) for name, value in tags.items()}
    found: dict[str, str] = {}
    for tag in tags if isinstance(tags, list) else []:
        if isinstance(tag, Mapping):
            lower = {str(name).lower(): value for name, value in tag.items()}
            found[str(lower.get("key"))] = str(lower.get("value", ""))
    return found
