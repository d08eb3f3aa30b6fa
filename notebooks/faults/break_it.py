"""What breaks the copy. Spoilers: whoever wants to find the faults stops reading here."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import boto3

from faults.copy_of_pipeline import (
    HANDLER,
    LAKE,
    LAMBDAS,
    SEND,
    api_id,
    build_copy,
    grants,
    integrate,
    map_queue,
    map_stream,
    set_code,
    set_permissions,
    until_enabled,
    visits_resource,
)
from labkit.cloud import settings

Copy = dict[str, str]
SWALLOW = re.compile(r"^        except \(.*?^            (?:continue|break)[^\n]*\n", re.DOTALL | re.MULTILINE)


def choose_game(number: int | None = None) -> int:
    """Return the number of a game: *number*, else a random one; headless always the same for the same LAB_ID."""
    if number is not None:
        return number
    if "LABKIT_FACTS" in os.environ or "CI" in os.environ:  # set by labkit run, and by every CI
        return zlib.crc32(settings()["lab_id"].encode()) % 10_000
    return random.SystemRandom().randrange(10_000)


def break_copy(part: str, game: int) -> Copy:
    """Put the copy right, then put three faults into it, and return what :func:`build_copy` returns.

    Args:
        part: ``"core"`` or ``"deeper"``.
        game: The same number chooses the same faults.
    """
    copy, chance = build_copy(), random.Random(game)
    for fault in {"core": CORE, "deeper": DEEPER}[part]:
        fault(copy, chance)
    until_enabled()
    print(f"The copy stands, and {len(CORE)} faults are in it. This is game {game}.")
    return copy


def missing_permission(copy: Copy, chance: random.Random) -> None:
    """One role lacks the action of its function's own work."""
    function = chance.choice([SEND, HANDLER, LAKE])
    set_permissions(function, without=grants(function)[0][0][0])


def swallowed_exception(copy: Copy, chance: random.Random) -> None:
    """One function goes on after an unreadable visit as if it had not been there."""
    function = chance.choice([HANDLER, LAKE])
    source = (LAMBDAS / function / "lambda_function.py").read_text(encoding="utf-8")
    spoilt, count = SWALLOW.subn("        except Exception:\n            continue\n", source)
    if count != 1:
        raise RuntimeError(f"{function} has changed: {count} places where an exception is caught, 1 was expected")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(LAMBDAS / function, folder, dirs_exist_ok=True)
        Path(folder, "lambda_function.py").write_text(spoilt, encoding="utf-8")
        set_code(function, Path(folder), copy)


def unread_failures(copy: Copy, chance: random.Random) -> None:
    """The queue's mapping does not read what its function returns."""
    map_queue(copy, FunctionResponseTypes=[])


def filter_without_type(copy: Copy, chance: random.Random) -> None:
    """A filter whose leaf is no typed value: it matches nothing."""
    leaf = chance.choice(
        [
            {"ProductVisitKey": [{"exists": True}]},
            {"Category": ["Shoes", "Clothing", "Bags", "Outdoor", "Gifts"]},
            {"TimeOfVisit": [{"prefix": "2"}]},
        ]
    )
    pattern = {"eventName": ["INSERT"], "dynamodb": {"NewImage": leaf}}
    map_stream(copy, FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]})


def endless_retries(copy: Copy, chance: random.Random) -> None:
    """A bad record is tried for as long as the stream keeps it."""
    endless = {"BisectBatchOnFunctionError": False, "MaximumRetryAttempts": -1}
    pattern = boto3.client("lambda").list_event_source_mappings(EventSourceArn=copy["stream"])["EventSourceMappings"]
    map_stream(copy, **endless, FilterCriteria={"Filters": pattern[0]["FilterCriteria"]["Filters"]})


def old_deployment(copy: Copy, chance: random.Random) -> None:
    """The stage serves an integration that was mended since, and not deployed."""
    gateway, api = boto3.client("apigateway"), api_id()
    if chance.random() < 0.5:
        integrate(api, "ProductVisitSendDataToQueueOld")
    else:
        post = {"restApiId": api, "resourceId": visits_resource(api), "httpMethod": "POST"}
        templates = {"application/json": '{"statusCode": 200}'}
        gateway.put_integration(**post, type="MOCK", requestTemplates=templates)
        with contextlib.suppress(gateway.exceptions.ConflictException):  # from an earlier game
            gateway.put_method_response(**post, statusCode="200")
        gateway.put_integration_response(**post, statusCode="200")
    gateway.create_deployment(restApiId=api, stageName="prod")
    integrate(api, SEND)


CORE: tuple[Callable[[Copy, random.Random], None], ...] = (missing_permission, swallowed_exception, unread_failures)
DEEPER: tuple[Callable[[Copy, random.Random], None], ...] = (filter_without_type, endless_retries, old_deployment)
