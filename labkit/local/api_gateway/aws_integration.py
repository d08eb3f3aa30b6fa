"""AWS integrations without a proxy: a template makes the request to Lambda or SQS, another one the client's answer.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-custom-integrations.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from labkit.local.api_call import AwsError, HttpResponse
from labkit.local.api_gateway.gateway_error import configuration_error
from labkit.local.api_gateway.lambda_integration import LambdaIntegration, error_message
from labkit.local.api_gateway.mapping_template import substitute, value_of
from labkit.local.api_gateway.method_request import MethodRequest
from labkit.local.api_gateway.response_mapping import integration_response, method_response, request_body

QUEUE_URI = re.compile(r"arn:aws[\w-]*:apigateway:(?P<region>[\w-]+):sqs:path/(?P<account>\d{12})/(?P<queue>[\w.-]+)")
FORM = "application/x-www-form-urlencoded"
ATTRIBUTE = re.compile(r"MessageAttributes?\.(?P<number>\d+)\.(?P<part>Name|Value\.(?:DataType|StringValue))")


class AwsIntegration:
    """Answer by Lambda or SQS.

    Args:
        functions: Invokes functions, and knows what API Gateway may do in a role.
        send_to_queue: ``await send_to_queue(queue_arn, body, message_attributes=…, …)`` returns the message's id.
    """

    def __init__(self, *, functions: LambdaIntegration, send_to_queue: Callable[..., Awaitable[str]]) -> None:
        self._functions = functions
        self._send_to_queue = send_to_queue

    async def answer(self, request: MethodRequest, integration: dict[str, Any]) -> HttpResponse:
        """Make the request, choose the integration response, make the answer.

        Raises:
            GatewayError: 500 for a set-up that cannot work, 504 after the timeout, 415 for a body that nothing maps.
        """
        payload = request_body(request, integration)
        if found := QUEUE_URI.fullmatch(substitute(integration.get("uri") or "", request)):
            selected_by, body = await self._send(request, integration, found, payload)
        else:
            selected_by, body = await self._invoke(request, integration, payload)
        return method_response(request, integration_response(integration, selected_by), body)

    async def _invoke(self, request: MethodRequest, integration: dict[str, Any], payload: str) -> tuple[str, str]:
        """Invoke the function; an error it raised is matched by its message, and nothing but the default else."""
        invoked = await self._functions.invoke_for_method(request, integration, (payload or "{}").encode())
        body = invoked.payload.decode("utf-8", "replace")
        return (error_message(invoked.payload) if invoked.function_error else "", body)

    async def _send(
        self, request: MethodRequest, integration: dict[str, Any], queue: re.Match[str], payload: str
    ) -> tuple[str, str]:
        """Send a message as the form says; the status of SQS's answer chooses the integration response."""
        header = (integration.get("requestParameters") or {}).get("integration.request.header.Content-Type", "")
        form = dict(parse_qsl(payload, keep_blank_values=True))
        if value_of(header, request) != FORM or form.get("Action") != "SendMessage":
            raise configuration_error(
                f"the local cloud sends messages to SQS only by the form Action=SendMessage and the request "
                f"parameter integration.request.header.Content-Type: '{FORM}'"
            )
        queue_arn = f"arn:aws:sqs:{queue['region']}:{queue['account']}:{queue['queue']}"
        role_arn = substitute(integration.get("credentials") or "", request)
        request.log.append(f"Sending request to {queue_arn}")
        try:
            if not await self._functions.may_use(role_arn, "sqs:SendMessage", queue_arn):
                raise AwsError("AccessDenied", f"Access to the resource {queue_arn} is denied.", 403)
            message_id = await self._send_to_queue(
                queue_arn,
                form.get("MessageBody", ""),
                message_attributes=_attributes(form),
                group_id=form.get("MessageGroupId"),
                deduplication_id=form.get("MessageDeduplicationId"),
            )
        except AwsError as error:
            told = {"Code": error.code, "Message": error.message, "Type": "Sender"}
            return str(error.status), json.dumps({"Error": told, "RequestId": request.request_id})
        digest = hashlib.md5(form.get("MessageBody", "").encode(), usedforsecurity=False).hexdigest()
        sent = {
            "ResponseMetadata": {"RequestId": request.request_id},
            "SendMessageResult": {"MD5OfMessageBody": digest, "MessageId": message_id},
        }
        return "200", json.dumps({"SendMessageResponse": sent})


def _attributes(form: dict[str, str]) -> dict[str, dict[str, str]]:
    """Read ``MessageAttribute.1.Name=…&MessageAttribute.1.Value.DataType=…`` and so on."""
    numbered: dict[str, dict[str, str]] = {}
    for name, value in form.items():
        if found := ATTRIBUTE.fullmatch(name):
            numbered.setdefault(found["number"], {})[found["part"].removeprefix("Value.")] = value
    return {
        one["Name"]: {"DataType": one.get("DataType", "String"), "StringValue": one.get("StringValue", "")}
        for one in numbered.values()
        if "Name" in one
    }
