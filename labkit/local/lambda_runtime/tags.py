"""Tags of functions, and of the mappings that feed them.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from labkit.local.api_call import ApiCall, AwsError
from labkit.local.lambda_runtime.functions import Functions
from labkit.local.lambda_runtime.names import invalid, split, violation
from labkit.local.lambda_runtime.validation import check_tags

TAGGED = re.compile(
    r"arn:(aws[a-zA-Z-]*):lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|event-source-mapping:[0-9a-fA-F-]{36})"
)


class Tags:
    """TagResource, UntagResource, ListTags."""

    def __init__(self, functions: Functions, tags_of_mapping: Callable[[str], dict[str, str] | None]) -> None:
        self._functions, self._tags_of_mapping = functions, tags_of_mapping

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "TagResource": self.tag,
            "UntagResource": self.untag,
            "ListTags": lambda call: {"Tags": self._of(call)},
        }

    def _of(self, call: ApiCall) -> dict[str, str]:
        arn = str(call.params.get("Resource") or "")
        if not TAGGED.fullmatch(arn):
            raise violation(arn, "resource", f"satisfy regular expression pattern: {TAGGED.pattern}")
        kind = arn.split(":")[5]
        if kind == "event-source-mapping":
            tags = self._tags_of_mapping(arn)
            if tags is None:
                text = f"Event source mapping not found: {arn}"
                raise AwsError("ResourceNotFoundException", text, 404, Type="User")
            return tags
        if kind != "function":
            raise AwsError("NotImplemented", f"The local cloud keeps no tags of a Lambda {kind} yet: {arn}", 501)
        unqualified, qualifier = split(arn)
        if qualifier:
            raise invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
        return self._functions.find(unqualified).tags

    def tag(self, call: ApiCall) -> None:
        """Add tags."""
        kept, given = self._of(call), call.params.get("Tags") or {}
        if not given:
            raise invalid("An error occurred and the request cannot be processed.")
        check_tags({**kept, **given})
        kept.update(given)

    def untag(self, call: ApiCall) -> None:
        """Remove tags."""
        kept = self._of(call)
        for key in call.params.get("TagKeys") or []:
            kept.pop(key, None)
