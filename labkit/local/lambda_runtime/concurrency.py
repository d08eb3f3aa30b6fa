"""How many invocations may run at once: in the account, and of one function that reserves a part of it.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from labkit.local.api_call import ApiCall, AwsError
from labkit.local.lambda_runtime.function import Function
from labkit.local.lambda_runtime.functions import Functions
from labkit.local.lambda_runtime.names import LATEST, unqualified

UNRESERVED = 100


class Concurrency:
    """The account's concurrency, *account* in all; *running* counts the invocations of each function."""

    def __init__(
        self,
        functions: Functions,
        *,
        account: int,
        code_of_layers: Callable[[], int],
        measure: Callable[[str, str, float], None],
    ) -> None:
        self._functions, self._account, self._measure = functions, account, measure
        self._code_of_layers = code_of_layers
        self.running: dict[str, int] = {}

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "PutFunctionConcurrency": self.put_function_concurrency,
            "GetFunctionConcurrency": self.get_function_concurrency,
            "DeleteFunctionConcurrency": self.delete_function_concurrency,
            "GetAccountSettings": self.get_account_settings,
        }

    @contextlib.contextmanager
    def admitted(self, function: Function) -> Iterator[None]:
        """Count an invocation of a function, whichever version, as running while the block lasts.

        Raises:
            AwsError: ``TooManyRequestsException`` when the function's or the account's concurrency is used up.
        """
        try:
            self._check(function)
        except AwsError:
            self._measure(function.arn, "Throttles", 1.0)
            raise
        running = self.running[function.arn] = self.running.get(function.arn, 0) + 1
        self._measure(function.arn, "ConcurrentExecutions", running)
        account = function.arn.partition(":function:")[0] + ":account"
        self._measure(account, "ConcurrentExecutions", sum(self.running.values()))
        try:
            yield
        finally:
            self.running[function.arn] -= 1

    def _check(self, function: Function) -> None:
        if function.reserved_concurrency is not None:
            if self.running.get(function.arn, 0) >= function.reserved_concurrency:
                raise _throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
            return
        reserved = [f for f in self._functions.all.values() if f.reserved_concurrency is not None]
        room = self._account - sum(f.reserved_concurrency or 0 for f in reserved)
        used = sum(self.running.values()) - sum(self.running.get(f.arn, 0) for f in reserved)
        if used >= room:
            raise _throttled("ConcurrentInvocationLimitExceeded")

    def put_function_concurrency(self, call: ApiCall) -> dict[str, Any]:
        """Reserve concurrency; 0 switches the function off."""
        arn, wanted = unqualified(call), int(call.params["ReservedConcurrentExecutions"])
        function = self._functions.find(f"{arn}:{LATEST}")
        others = sum(f.reserved_concurrency or 0 for f in self._functions.all.values() if f is not function)
        if self._account - others - wanted < UNRESERVED:
            raise AwsError(
                "InvalidParameterValueException",
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                f"below its minimum value of [{UNRESERVED}].",
                400,
                Type="User",
            )
        function.reserved_concurrency = wanted
        return {"ReservedConcurrentExecutions": wanted}

    def get_function_concurrency(self, call: ApiCall) -> dict[str, Any]:
        """Return the reserved concurrency, if any."""
        reserved = self._functions.of(call).reserved_concurrency
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    def delete_function_concurrency(self, call: ApiCall) -> None:
        """Reserve none."""
        self._functions.of(call).reserved_concurrency = None

    def get_account_settings(self, call: ApiCall) -> dict[str, Any]:
        """Return the account's limits."""
        reserved = sum(f.reserved_concurrency or 0 for f in self._functions.all.values())
        return {
            "AccountLimit": {
                "TotalCodeSize": 80_530_636_800,
                "CodeSizeUnzipped": 262_144_000,
                "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": self._account,
                "UnreservedConcurrentExecutions": self._account - reserved,
            },
            "AccountUsage": {
                "TotalCodeSize": self._code_size(),
                "FunctionCount": len(self._functions.all),
            },
        }

    def _code_size(self) -> int:
        versions = [version for function in self._functions.all.values() for version in function.all_versions()]
        return sum(len(version.package) for version in versions) + self._code_of_layers()


def _throttled(reason: str) -> AwsError:
    return AwsError(
        "TooManyRequestsException", "Rate Exceeded.", 429, Reason=reason, Type="User", retryAfterSeconds="1"
    )
