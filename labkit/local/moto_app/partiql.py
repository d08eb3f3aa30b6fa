"""BatchExecuteStatement: each statement has an answer or an error of its own; moto refuses all for one that is none.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from labkit.local.api_call import ApiCall, AwsError, Forward

UNREADABLE = {"Code": "ValidationError", "Message": "Statement wasn't well formed, can't be processed"}


async def responses(call: ApiCall, forward: Forward) -> list[dict[str, Any]] | None:
    """Let moto run one statement after the other; ``None`` for a call that holds something else than statements."""
    statements = call.params.get("Statements")
    if not isinstance(statements, list) or not all(isinstance(one, dict) and "Statement" in one for one in statements):
        return None
    return [await _response(call, one, forward) for one in statements]


async def _response(call: ApiCall, statement: dict[str, Any], forward: Forward) -> dict[str, Any]:
    params = {**call.params, "Statements": [statement]}
    http = replace(call.http, body=json.dumps(params).encode(), moto_request=None)
    try:
        answer = await forward(replace(call, params=params, http=http))
        response: dict[str, Any] = json.loads(answer.body)["Responses"][0]
    except AwsError:
        raise
    except Exception:  # the parser of statements raises whatever it trips over
        return {"Error": UNREADABLE}
    if response.get("Error", {}).get("Code") == "Bad Request":  # moto's name for what does not fit the table
        response["Error"]["Code"] = UNREADABLE["Code"]
    return response
