"""Versions, which never change, and aliases, which point to one of them, or to two by weight.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

from labkit.local.api_call import ApiCall, AwsError
from labkit.local.lambda_runtime.function import Function, conflict, described, listed
from labkit.local.lambda_runtime.functions import Functions
from labkit.local.lambda_runtime.names import (
    LATEST,
    invalid,
    joined,
    named,
    not_found,
    stale,
    unqualified,
    violation,
)
from labkit.local.lambda_runtime.packages import code_sha256
from labkit.local.lambda_runtime.paging import page

ALIAS_NAME = r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)"
WEIGHT = (
    "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value "
    "greater than or equal to 0.0, Member must not be null]"
)
VERSION_KEY = (
    "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length "
    "greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]"
)


class Versions:
    """PublishVersion, the aliases, and what there is of provisioned concurrency: nothing."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "PublishVersion": self.publish_version,
            "ListVersionsByFunction": self.list_versions,
            "CreateAlias": self.create_alias,
            "GetAlias": lambda call: self._alias(call)[1],
            "UpdateAlias": self.update_alias,
            "DeleteAlias": self.delete_alias,
            "ListAliases": self.list_aliases,
            "GetProvisionedConcurrencyConfig": self.get_provisioned_concurrency,
            "ListProvisionedConcurrencyConfigs": self.list_provisioned_concurrency,
        }

    def publish_version(self, call: ApiCall) -> dict[str, Any]:
        """Publish $LATEST as the next version; the last version comes back if nothing has changed since."""
        function, params = self._functions.of(call), call.params
        if function.state == "Pending" or function.last_update_status == "InProgress":
            raise conflict(function)
        if params.get("RevisionId") not in (None, "", function.revision_id):
            raise stale()
        current = code_sha256(function.package)
        if params.get("CodeSha256") not in (None, "", current):
            raise invalid(
                f"CodeSHA256 ({params['CodeSha256']}) is different from current CodeSHA256 in $LATEST ({current}). "
                "Please try again with the CodeSHA256 in $LATEST."
            )
        version = function.publish(description=params.get("Description") or None)
        return described(version, version.version)

    def list_versions(self, call: ApiCall) -> dict[str, Any]:
        """List $LATEST and the published versions."""
        function = self._functions.of(call)
        found = {version.version: listed(version, version.version) for version in function.all_versions()}
        return page(call, "Versions", found)

    # --- Aliases ------------------------------------------------------------------------------------------------------

    def create_alias(self, call: ApiCall) -> dict[str, Any]:
        """Name a version."""
        arn, name, wanted = unqualified(call), str(call.params.get("Name") or ""), call.params.get("FunctionVersion")
        if not re.fullmatch(ALIAS_NAME, name):
            raise violation(name, "name", f"satisfy regular expression pattern: {ALIAS_NAME}")
        function = self._functions.find(joined(arn, str(wanted)))
        if name in function.aliases:
            text = f"Alias already exists: {arn}:{name}"
            raise AwsError("ResourceConflictException", text, 409, Type="User")
        alias = {
            "AliasArn": f"{arn}:{name}",
            "Name": name,
            "FunctionVersion": wanted,
            "Description": call.params.get("Description") or "",
            "RevisionId": str(uuid.uuid4()),
            **self._routing(function, str(wanted), call.params.get("RoutingConfig")),
        }
        function.aliases[name] = alias
        return alias

    @staticmethod
    def _routing(function: Function, version: str, routing: dict[str, Any] | None) -> dict[str, Any]:
        """Return the RoutingConfig as it is kept: nothing where there is no second version.

        Raises:
            AwsError: ``ResourceNotFoundException``, ``ValidationException`` or ``InvalidParameterValueException``.
        """
        weights = dict((routing or {}).get("AdditionalVersionWeights") or {})
        if len(weights) > 1:
            raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
        for other, weight in weights.items():
            shown = f"{{{other}={weight}}}"
            if not other.isdigit():
                raise _map_violation(shown, VERSION_KEY)
            if not 0.0 <= weight <= 1.0:
                raise _map_violation(shown, WEIGHT)
            if other == version:
                raise invalid(
                    f"Invalid function version {version}. Function version {version} is already included in routing "
                    "configuration."
                )
            if version == LATEST:
                raise invalid("$LATEST is not supported for an alias pointing to more than 1 version")
        for one in (version, *weights):
            if one != LATEST and one not in function.versions:
                raise not_found(f"{function.arn}:{one}")
        return {"RoutingConfig": {"AdditionalVersionWeights": weights}} if weights else {}

    def _alias(self, call: ApiCall, missing: str = "Cannot find alias arn: ") -> tuple[Function, dict[str, Any]]:
        arn, name = unqualified(call), str(call.params.get("Name") or "")
        function = self._functions.all.get(arn)
        if function is None or name not in function.aliases:
            raise AwsError("ResourceNotFoundException", f"{missing}{arn}:{name}", 404, Type="User")
        return function, function.aliases[name]

    def update_alias(self, call: ApiCall) -> dict[str, Any]:
        """Point an alias to another version, or share the calls among two."""
        function, alias = self._alias(call, "Alias not found: ")
        params = call.params
        if params.get("RevisionId") not in (None, "", alias["RevisionId"]):
            raise stale()
        version = params.get("FunctionVersion") or alias["FunctionVersion"]
        given = params["RoutingConfig"] if params.get("RoutingConfig") is not None else alias.get("RoutingConfig")
        routing = self._routing(function, version, given)
        alias.pop("RoutingConfig", None)
        alias |= {"FunctionVersion": version, "RevisionId": str(uuid.uuid4()), **routing}
        if params.get("Description") is not None:
            alias["Description"] = params["Description"]
        return alias

    def delete_alias(self, call: ApiCall) -> None:
        """Forget an alias, with its policy and its settings; the version stays."""
        arn, name = unqualified(call), str(call.params.get("Name") or "")
        function = self._functions.find(arn)
        for kept in (function.aliases, function.policies, function.invoke_configs):
            kept.pop(name, None)

    def list_aliases(self, call: ApiCall) -> dict[str, Any]:
        """List the aliases, or those of one version."""
        function, version = self._functions.of(call), call.params.get("FunctionVersion")
        shown = sorted(function.aliases) if version is None else function.aliases_of(version)
        return page(call, "Aliases", {name: function.aliases[name] for name in shown})

    # --- Provisioned concurrency --------------------------------------------------------------------------------------

    def get_provisioned_concurrency(self, call: ApiCall) -> dict[str, Any]:
        """Say that there is none, in AWS's words."""
        arn, qualifier = named(call)
        if qualifier in ("", LATEST):
            raise invalid("The function resource provided must be an alias or a published version.")
        self._functions.find(joined(arn, qualifier)).version_of(qualifier)
        text = "No Provisioned Concurrency Config found for this function"
        raise AwsError("ProvisionedConcurrencyConfigNotFoundException", text, 404, Type="User")

    def list_provisioned_concurrency(self, call: ApiCall) -> dict[str, Any]:
        """List none."""
        self._functions.of(call)
        return {"ProvisionedConcurrencyConfigs": []}


def _map_violation(value: str, rule: str) -> AwsError:
    member = "routingConfig.additionalVersionWeights"
    text = f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}"
    return AwsError("ValidationException", text)
