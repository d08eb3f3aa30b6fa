"""Values out of a request: parameter mappings, and the simple variables of templates.

Real mapping templates are programs in the Velocity Template Language. The local cloud knows their variables, not the
language: a template that uses more is refused with a sentence in the execution log.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.local.api_gateway.method_request import MethodRequest

NAME = r"context(?:\.\w+)+|stageVariables\.\w+"
VARIABLE = rf"\$(?:\{{(?P<braced>{NAME})\}}|(?P<bare>{NAME}))"
INPUT = r"(?P<input>\$input\.(?:body\b|params\(\s*['\"](?P<parameter>[^'\"]+)['\"]\s*\)))"
SIMPLE = re.compile(VARIABLE)
RENDERED = re.compile(f"{VARIABLE}|{INPUT}")
DIRECTIVE = r"#(?:set|if|else|end|foreach|macro|parse|include|define|evaluate)\b"
LANGUAGE = re.compile(rf"{DIRECTIVE}|\$!?\{{?(?:input|util|method)\b")


class UnsupportedTemplateError(Exception):
    """A template uses more of the Velocity Template Language than its variables."""


def substitute(template: str, request: MethodRequest) -> str:
    """Replace ``$context.…`` and ``$stageVariables.…``; this is all that gateway responses know on AWS, too."""
    return SIMPLE.sub(lambda found: variable(found["braced"] or found["bare"], request), template)


def render(template: str, request: MethodRequest) -> str:
    """Render a mapping template that uses variables, ``$input.body`` and ``$input.params('name')`` only.

    Raises:
        UnsupportedTemplateError: It uses more of the Velocity Template Language; the message shows what.
    """
    if found := LANGUAGE.search(RENDERED.sub("", template)):
        raise UnsupportedTemplateError(
            f"the local cloud does not run the Velocity Template Language: {found[0]!r} in a mapping template"
        )

    def replace(found: re.Match[str]) -> str:
        if found["parameter"]:
            return request.parameter(found["parameter"]) or ""
        return request.text if found["input"] else variable(found["braced"] or found["bare"], request)

    return RENDERED.sub(replace, template)


def variable(path: str, request: MethodRequest) -> str:
    """Return what a variable such as ``context.requestId`` or ``stageVariables.table`` stands for."""
    root, _, rest = path.partition(".")
    if root == "stageVariables":
        return str(request.stage_variables.get(rest, ""))
    value: Any = {**request.context(), "error": request.error_context()}
    for name in rest.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def value_of(expression: str, request: MethodRequest) -> str | None:
    """Evaluate the right side of a parameter mapping: ``'static'``, ``method.request.…``, ``context.…`` and the like.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
    """
    if len(expression) >= 2 and expression[0] == expression[-1] == "'":
        return expression[1:-1]
    if expression.startswith(("context.", "stageVariables.")):
        return variable(expression, request) or None
    kind, _, name = expression.removeprefix("method.request.").partition(".")
    if kind in ("multivalueheader", "header"):
        return request.headers.get(name) if name in request.headers else None
    if kind in ("querystring", "multivaluequerystring"):
        return request.last_query_value(name)
    return request.path_parameters.get(name) if kind == "path" else None
