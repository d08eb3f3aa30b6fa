"""The settings of asynchronous invocation: retries, age and destinations, one set for each qualifier.

https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.lambda_runtime.function import Function
from labkit.local.lambda_runtime.functions import Functions
from labkit.local.lambda_runtime.names import LATEST, invalid, joined, named, unqualified, violation
from labkit.local.lambda_runtime.paging import page
from labkit.local.lambda_runtime.validation import check_range

OLDEST_EVENT = 21_600
SETTINGS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
DESTINATION = re.compile(
    r"$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:"
    r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)"
)
VERBS = {"sqs": "SendMessage", "sns": "Publish", "lambda": "InvokeFunction", "s3": "PutObject", "events": "PutEvents"}

RoleCan = Callable[[str, str, str], Awaitable[bool]]


class EventInvokeConfigs:
    """Put, Update, Get, List and Delete of FunctionEventInvokeConfig."""

    def __init__(self, functions: Functions, *, role_can: RoleCan, clock: Clock) -> None:
        self._functions, self._role_can, self._clock = functions, role_can, clock

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "PutFunctionEventInvokeConfig": lambda call: self._configure(call, replace=True),
            "UpdateFunctionEventInvokeConfig": lambda call: self._configure(call, replace=False),
            "GetFunctionEventInvokeConfig": self.get,
            "ListFunctionEventInvokeConfigs": self.list_configs,
            "DeleteFunctionEventInvokeConfig": self.delete,
        }

    async def _configure(self, call: ApiCall, *, replace: bool) -> dict[str, Any]:
        arn, qualifier = named(call)
        qualifier, function = qualifier or LATEST, self._existing(arn, qualifier)
        given = {name: call.params[name] for name in SETTINGS if call.params.get(name) is not None}
        if not given:
            raise invalid("You must specify at least one of error handling or destination setting.")
        check_range("maximumRetryAttempts", given.get("MaximumRetryAttempts"), 0, 2)
        check_range("maximumEventAgeInSeconds", given.get("MaximumEventAgeInSeconds"), 60, OLDEST_EVENT)
        await self._check_destinations(function, function.version_of(qualifier).role, given.get("DestinationConfig"))
        kept = {} if replace else self._config(arn, qualifier)
        function.invoke_configs[qualifier] = {**kept, **given, "LastModified": self._clock.now()}
        return _described(f"{arn}:{qualifier}", function.invoke_configs[qualifier])

    async def _check_destinations(self, function: Function, role: str, config: dict[str, Any] | None) -> None:
        for side, target in (config or {}).items():
            if destination := (target or {}).get("Destination"):
                if not DESTINATION.fullmatch(destination):
                    member = f"destinationConfig.{side[0].lower()}{side[1:]}.destination"
                    raise violation(destination, member, f"satisfy regular expression pattern: {DESTINATION.pattern}")
                self._check_service(function, destination, side, config or {})
                await check_role(self._role_can, role, destination)

    def _check_service(self, function: Function, destination: str, side: str, config: dict[str, Any]) -> None:
        service = destination.split(":")[2] if destination.startswith("arn:") else ""
        if destination.removesuffix(f":{LATEST}") == function.arn:
            raise invalid("You can't specify the function as a destination for itself.")
        if service not in VERBS or (service == "s3" and side == "OnSuccess"):
            shown = [
                f"{name[0].lower()}{name[1:]}={f'{name}(destination={target})' if target else 'null'}"
                for name in ("OnSuccess", "OnFailure")
                for target in [(config.get(name) or {}).get("Destination")]
            ]
            raise invalid(f"The provided destination config DestinationConfig({', '.join(shown)}) is invalid.")
        if service in ("sqs", "sns") and destination.endswith(".fifo"):
            raise invalid(f"A destination is a standard queue or topic, no FIFO one; it was {destination!r}.")
        if service == "lambda" and not self._exists(destination):
            raise invalid(f"The destination ARN {destination} is invalid.")

    def _exists(self, arn: str) -> bool:
        try:
            self._functions.version(arn)
        except AwsError:
            return False
        return True

    def _existing(self, arn: str, qualifier: str) -> Function:
        if not self._exists(joined(arn, qualifier)):
            raise AwsError("ResourceNotFoundException", "The function doesn't exist.", 404, Type="User")
        return self._functions.all[arn]

    def _config(self, arn: str, qualifier: str) -> dict[str, Any]:
        function = self._functions.all.get(arn)
        config = function.invoke_configs.get(qualifier) if function else None
        if config is None:
            text = f"The function {arn}:{qualifier} doesn't have an EventInvokeConfig"
            raise AwsError("ResourceNotFoundException", text, 404, Type="User")
        return config

    def get(self, call: ApiCall) -> dict[str, Any]:
        """Return the settings of one qualifier."""
        arn, qualifier = named(call)
        qualifier = qualifier or LATEST
        return _described(f"{arn}:{qualifier}", self._config(arn, qualifier))

    def list_configs(self, call: ApiCall) -> dict[str, Any]:
        """List the settings of a function, its versions and aliases."""
        function = self._existing(unqualified(call), "")
        found = {
            qualifier: _described(f"{function.arn}:{qualifier}", config)
            for qualifier, config in sorted(function.invoke_configs.items())
        }
        return page(call, "FunctionEventInvokeConfigs", found)

    def delete(self, call: ApiCall) -> None:
        """Go back to the defaults."""
        arn, qualifier = named(call)
        self._config(arn, qualifier or LATEST)
        del self._functions.all[arn].invoke_configs[qualifier or LATEST]


async def check_role(role_can: RoleCan, role: str, arn: str) -> None:
    """Refuse a destination that the function's role may not send to.

    Raises:
        AwsError: ``InvalidParameterValueException``.
    """
    service = arn.split(":")[2]
    if not await role_can(role, f"{service}:{VERBS[service]}", f"{arn}/any" if service == "s3" else arn):
        raise invalid(f"The function's execution role does not have permissions to call {VERBS[service]} on {arn}")


def _described(arn: str, config: dict[str, Any]) -> dict[str, Any]:
    destinations = {"OnSuccess": {}, "OnFailure": {}, **(config.get("DestinationConfig") or {})}
    return {"FunctionArn": arn, **config, "DestinationConfig": destinations}
