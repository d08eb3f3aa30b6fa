"""Values out of a request: parameter mappings, and the simple variables of templates.

Real mapping templates are programs in the Velocity Template Language. The local cloud knows their variables and a few
functions, not the language: a template that uses more is refused with a sentence in the execution log.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from labkit.local.api_gateway.gateway_error import configuration_error
from labkit.local.api_gateway.method_request import MethodRequest

NAME = r"context(?:\.\w+)+|stageVariables\.\w+"
VARIABLE = rf"\$(?:\{{(?P<braced>{NAME})\}}|(?P<bare>{NAME}))"
QUOTED = r"\(\s*(?:'[^']*'|\"[^\"]*\")\s*\)"
INPUT = rf"\$input\.(?:body(?![\w.])|(?:params|json|path){QUOTED})"
VALUE = rf"{INPUT}|\$\{{(?:{NAME})\}}|\$(?:{NAME})"
UTIL = (
    rf"\$util\.(?P<util>urlEncode|urlDecode|base64Encode|base64Decode|escapeJavaScript)\(\s*(?P<argument>{VALUE})\s*\)"
)
SIMPLE = re.compile(VARIABLE)
RENDERED = re.compile(f"{UTIL}|(?P<value>{VALUE})")
JSON_PATH = re.compile(r"\$(?:\.\w+|\[\d+\])*")
DIRECTIVE = r"#(?:set|if|else|end|foreach|macro|parse|include|define|evaluate)\b"
LANGUAGE = re.compile(rf"{DIRECTIVE}|\$!?\{{?(?:input|util|method)\b")


def substitute(template: str, request: MethodRequest) -> str:
    """Replace ``$context.…`` and ``$stageVariables.…``; this is all that gateway responses know on AWS, too."""
    return SIMPLE.sub(lambda found: variable(found["braced"] or found["bare"], request), template)


def render(template: str, request: MethodRequest, body: str) -> str:
    """Render a mapping template that uses variables, ``$input`` and one ``$util`` function around one of them only.

    Args:
        template: The template.
        request: Whose variables and parameters.
        body: What ``$input`` is about: the request's body, or in a response the integration's; an empty one is ``{}``.

    Raises:
        GatewayError: It uses more of the Velocity Template Language; the reason shows what.
    """
    if found := LANGUAGE.search(RENDERED.sub("", template)):
        raise configuration_error(
            f"the local cloud does not run the Velocity Template Language: {found[0]!r} in a mapping template"
        )

    def replace(found: re.Match[str]) -> str:
        if found["util"]:
            return _util(found["util"], _value(found["argument"], request, body or "{}"))
        return _value(found["value"], request, body or "{}")

    return RENDERED.sub(replace, template)


def _value(expression: str, request: MethodRequest, body: str) -> str:
    if not expression.startswith("$input."):
        return variable(expression.strip("${}"), request)
    function, _, quoted = expression.removeprefix("$input.").partition("(")
    argument = quoted.strip(" )\t\r\n")[1:-1]
    if function == "body":
        return body
    if function == "params":
        return request.parameter(argument) or ""
    value = _at(argument, body)
    if function == "json":
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, dict | list):
        raise configuration_error(f"$input.path({argument!r}) is an object or list; $input.json shows those")
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _at(path: str, body: str) -> Any:
    """Return what stands at a JSON path of plain names and numbers, or ``None``."""
    if not JSON_PATH.fullmatch(path):
        raise configuration_error(f"the JSON path {path!r} uses more than names and numbers")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    for name, number in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        if number:
            value = value[int(number)] if isinstance(value, list) and int(number) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def _util(name: str, text: str) -> str:
    if name == "urlEncode":
        return quote_plus(text)
    if name == "urlDecode":
        return unquote_plus(text)
    if name == "base64Encode":
        return base64.b64encode(text.encode()).decode()
    if name == "base64Decode":
        try:
            return base64.b64decode(text, validate=True).decode("utf-8", "replace")
        except ValueError:
            return ""
    escaped = json.dumps(text)[1:-1]
    return escaped.replace("'", "\\'").replace("/", "\\/")


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
