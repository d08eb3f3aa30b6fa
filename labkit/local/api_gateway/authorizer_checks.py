"""What API Gateway refuses of authorizers. *setup* is what moto keeps of the API.

https://docs.aws.amazon.com/apigateway/latest/api/API_CreateAuthorizer.html
"""

from __future__ import annotations

from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.api_gateway.errors import bad_request, conflict, known
from labkit.local.api_gateway.lambda_integration import FUNCTION_URI
from labkit.local.api_gateway.patch_checks import complete

Params = dict[str, Any]
Setup = dict[str, Any]

LONGEST_TTL = 3600
PATCHABLE = {
    "authorizerCredentials", "authorizerResultTtlInSeconds", "authorizerUri", "authType", "identitySource",
    "identityValidationExpression", "name",
}  # fmt: skip

known_authorizer = known("authorizerId", "authorizers", "Invalid Authorizer identifier specified")


def new_authorizer(params: Params, setup: Setup) -> None:
    """Refuse a second authorizer of one name, user pools, and what no function could be asked by."""
    if params["name"] in [one["name"] for one in setup["authorizers"].values()]:
        raise bad_request(
            f"Authorizer name must be unique. Authorizer {params['name']} already exists in this RestApi."
        )
    ttl = params.get("authorizerResultTtlInSeconds")
    usable(params["type"], params.get("authorizerUri"), params.get("identitySource"), ttl)


def usable(kind: str, uri: str | None, identity_source: str | None, ttl: int | None) -> None:
    """Refuse an authorizer that could not be asked."""
    if kind == "COGNITO_USER_POOLS":
        raise AwsError("NotImplemented", "The local cloud has no Cognito, so no authorizers of user pools.", 501)
    if not FUNCTION_URI.fullmatch(uri or ""):
        raise bad_request(
            f"Invalid Authorizer URI: {uri}. Authorizer URI should be a valid API Gateway ARN that represents a Lambda "
            "function invocation."
        )
    if ttl is not None and not 0 <= ttl <= LONGEST_TTL:
        raise bad_request(f"Invalid authorizerResultTtlInSeconds {ttl}: it is 0 to {LONGEST_TTL}")
    if not identity_source and (kind == "TOKEN" or ttl != 0):
        raise bad_request("An identity source is required for TOKEN authorizers, and for all whose results are kept")
    sources = [one.strip() for one in (identity_source or "").split(",") if one.strip()]
    if kind == "TOKEN" and (len(sources) != 1 or not sources[0].startswith("method.request.header.")):
        raise bad_request(f"Invalid identity source {identity_source}: for TOKEN it is one method.request.header.Name")
    beginnings = ("method.request.header.", "method.request.querystring.", "stageVariables.", "context.")
    if wrong := [one for one in sources if not one.startswith(beginnings)]:
        raise bad_request(f"Invalid identity source {wrong[0]}: it begins with one of {', '.join(beginnings)}")


def unused_authorizer(params: Params, setup: Setup) -> None:
    """Refuse to delete an authorizer that a method asks."""
    for one in setup["resources"]:
        for verb, found in one["resourceMethods"].items():
            if found.get("authorizerId") == params["authorizerId"]:
                name = setup["authorizers"][params["authorizerId"]]["name"]
                raise conflict(f"Cannot delete authorizer '{name}', is referenced in method: {one['path']}/{verb}")


def authorizer_patch(params: Params, setup: Setup) -> None:
    """Refuse a change after which the authorizer could not be asked."""
    complete(params, "replace")
    before = setup["authorizers"][params["authorizerId"]]
    patched = {one["path"].removeprefix("/"): one.get("value") for one in params.get("patchOperations") or []}
    if unknown := sorted(patched.keys() - PATCHABLE):
        raise bad_request(f"Invalid patch path /{unknown[0]}")
    changed = {**before, **patched}
    ttl = changed.get("authorizerResultTtlInSeconds")
    if ttl is not None and not str(ttl).isdecimal():
        raise bad_request(f"Invalid value {ttl!r} for /authorizerResultTtlInSeconds")
    seconds = None if ttl is None else int(ttl)
    usable(before["type"], changed.get("authorizerUri"), changed.get("identitySource"), seconds)
