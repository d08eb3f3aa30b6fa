"""Which AWS operations a source text sends, and which IAM actions these need."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable

import botocore.exceptions
import botocore.session
from botocore import xform_name

from labkit.local.iam_actions import ACTION_NAMES, PREFIXES

SERVICES = (
    "s3", "sqs", "dynamodb", "dynamodbstreams", "kinesis", "lambda", "apigateway", "iam", "sts", "sns", "events",
    "cloudtrail", "logs", "cloudwatch",
)  # fmt: skip
# What an operation needs besides the action of its own name.
ALSO = {
    ("lambda", "CreateFunction"): {"iam:PassRole", "lambda:TagResource"},
    ("apigateway", "UpdateAccount"): {"iam:PassRole"},
    ("iam", "CreateRole"): {"iam:TagRole"},
    ("sqs", "CreateQueue"): {"sqs:TagQueue"},
    ("sqs", "StartMessageMoveTask"): {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:SendMessage"},
    ("dynamodb", "CreateTable"): {"dynamodb:TagResource"},
    ("sns", "CreateTopic"): {"sns:TagResource"},
    ("events", "PutRule"): {"events:TagResource"},
    ("cloudtrail", "CreateTrail"): {"cloudtrail:AddTags"},
    ("kinesis", "CreateStream"): {"kinesis:AddTagsToStream"},
    ("s3", "DeleteObjects"): {"s3:DeleteObjectVersion"},
}
FREE = {"sts:GetCallerIdentity"}  # needs no permission


@functools.cache
def models() -> dict[str, tuple[dict[str, str], dict[str, str], dict[str, str]]]:
    """Return for each service its methods, its waiters, and the HTTP method of each operation."""
    session = botocore.session.Session()
    found = {}
    for service in SERVICES:
        model = session.get_service_model(service)
        methods = {xform_name(name): name for name in model.operation_names}
        http = {name: model.operation_model(name).http["method"] for name in model.operation_names}
        try:
            waiters = session.get_waiter_model(service)
            waited = {xform_name(name): waiters.get_waiter(name).operation for name in waiters.waiter_names}
        except botocore.exceptions.UnknownServiceError:  # it has none
            waited = {}
        found[service] = (methods, waited, http)
    return found


def client_names(tree: ast.AST) -> dict[str, str]:
    """Return which variable is a client of which service."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = _values(node.value, len(names))
            for name, value in zip(names, values, strict=False):
                if isinstance(name, ast.Name) and (service := _service(value)):
                    found[name.id] = service
    return found


def _values(value: ast.expr, count: int) -> list[ast.expr]:
    """Return what is assigned to each name, of ``a, b = …`` and of ``a, b = (client(name) for name in (…))``."""
    if isinstance(value, ast.Tuple):
        return list(value.elts)
    if isinstance(value, (ast.GeneratorExp, ast.ListComp)) and isinstance(value.generators[0].iter, ast.Tuple):
        return [ast.Call(ast.Name("client"), [one], []) for one in value.generators[0].iter.elts]
    return [value] * count


def _service(node: ast.expr) -> str:
    """Return the service of ``boto3.client("sqs")`` or ``client("sqs")``; ``""`` for anything else."""
    if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
        return ""
    function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    service = node.args[0].value
    return service if function in ("client", "make") and service in SERVICES else ""


def operations(source: str, clients: dict[str, str] | None = None) -> tuple[set[tuple[str, str]], set[str]]:
    """Return the ``(service, operation)`` pairs of a source text, and the calls whose service is not clear."""
    tree = ast.parse(source)
    known = {**(clients or {}), **client_names(tree)}
    found: set[tuple[str, str]] = set()
    unclear: set[str] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        owner = known.get(node.value.id, "") if isinstance(node.value, ast.Name) else _service(node.value)
        if owner:
            found |= _named(owner, node.attr)
            continue
        fits = [service for service in SERVICES if node.attr in models()[service][0]]
        if len(fits) == 1 and "_" in node.attr:
            found |= _named(fits[0], node.attr)
        elif len(fits) > 1 and "_" in node.attr:
            unclear.add(node.attr)
    for service, name in _pages_and_waiters(tree, known):
        methods, waiters, _ = models()[service]
        found |= {(service, operation) for operation in (methods.get(name), waiters.get(name)) if operation}
    return found, unclear


def _named(service: str, method: str) -> set[tuple[str, str]]:
    operation = models()[service][0].get(method)
    return {(service, operation)} if operation else set()


def _pages_and_waiters(tree: ast.AST, known: dict[str, str]) -> Iterable[tuple[str, str]]:
    """Yield what is named as text, as in ``get_paginator("list_queues")`` and ``get_waiter("table_exists")``."""
    for node in ast.walk(tree):
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and bool(node.args)
        if not is_call or node.func.attr not in ("get_paginator", "get_waiter"):
            continue
        argument = node.args[0]
        if not isinstance(argument, ast.Constant):
            continue
        owner = node.func.value
        service = known.get(owner.id, "") if isinstance(owner, ast.Name) else _service(owner)
        fits = (
            [service]
            if service
            else [one for one in SERVICES if argument.value in {**models()[one][0], **models()[one][1]}]
        )
        yield from ((one, argument.value) for one in fits)


def actions(found: Iterable[tuple[str, str]]) -> set[str]:
    """Return the IAM actions that these operations need."""
    needed: set[str] = set()
    for service, operation in found:
        needed |= ALSO.get((service, operation), set())
        if service == "apigateway":
            needed.add(f"apigateway:{models()[service][2][operation]}")  # its actions are HTTP's verbs
        else:
            name = ACTION_NAMES.get((service, operation), operation)
            needed.add(f"{PREFIXES.get(service, service)}:{name}")
    return needed - FREE


def fences(markdown: str) -> list[str]:
    """Return the Python fences of a text, which hold the solutions."""
    return re.findall(r"^```python\n(.*?)^```", markdown, re.DOTALL | re.MULTILINE)
