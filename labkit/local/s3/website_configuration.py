"""What S3 takes as a website configuration.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html
"""

from __future__ import annotations

import re
from typing import Any

from labkit.local.api_call import ApiCall, AwsError, Forward, HttpResponse, malformed_xml
from labkit.local.s3.errors import invalid_argument

MOST_RULES = 50


async def put_bucket_website(call: ApiCall, forward: Forward) -> HttpResponse:
    """Refuse a configuration that could not be followed.

    Raises:
        AwsError: ``InvalidArgument``, ``InvalidRequest`` or ``MalformedXML``.
    """
    configuration = call.params.get("WebsiteConfiguration") or {}
    index, everything = configuration.get("IndexDocument"), configuration.get("RedirectAllRequestsTo")
    if everything is not None:
        if len(configuration) > 1:
            text = "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules."
            raise invalid_argument(text, "RedirectAllRequestsTo", "not null")
        _check_protocol(everything)
        return await forward(call)
    if index is None:
        text = "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty"
        raise invalid_argument(text, "IndexDocument", "null")
    suffix = index.get("Suffix") or ""
    if not suffix or "/" in suffix:
        raise invalid_argument("The IndexDocument Suffix is not well formed", "IndexDocument", suffix)
    rules = configuration.get("RoutingRules")
    if rules is not None and not rules:
        raise malformed_xml()
    if rules and len(rules) > MOST_RULES:
        text = f"{len(rules)} routing rules provided, the number of routing rules in a website configuration is limited"
        raise _invalid_request(f"{text} to {MOST_RULES}.")
    for rule in rules or []:
        _check_rule(rule)
    return await forward(call)


def _check_rule(rule: dict[str, Any]) -> None:
    redirect, condition = rule.get("Redirect") or {}, rule.get("Condition")
    _check_protocol(redirect)
    if "ReplaceKeyPrefixWith" in redirect and "ReplaceKeyWith" in redirect:
        raise _invalid_request("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
    if "Condition" in rule and not condition:
        text = "To redirect all requests without a condition, the condition element shouldn't be present."
        raise _invalid_request(f"Condition cannot be empty. {text}")
    code = str(redirect.get("HttpRedirectCode") or "301")
    if not re.fullmatch(r"3\d\d", code) or code == "300":
        text = f"The provided HTTP redirect code ({code}) is not valid. Valid codes are 3XX except 300."
        raise _invalid_request(text)
    error = str((condition or {}).get("HttpErrorCodeReturnedEquals") or "404")
    if not re.fullmatch(r"[45]\d\d", error):
        raise _invalid_request(f"The provided HTTP error code ({error}) is not valid. Valid codes are 4XX or 5XX.")


def _check_protocol(redirect: dict[str, Any]) -> None:
    if redirect.get("Protocol") not in (None, "http", "https"):
        text = "protocol can be http or https. If not defined the protocol will be selected automatically."
        raise _invalid_request(f"Invalid protocol, {text}")


def _invalid_request(message: str) -> AwsError:
    return AwsError("InvalidRequest", message, 400)
