"""How the local cloud is put together: read :func:`build` as the architecture diagram, each line one arrow.

Features do not import one another. What one needs of another it gets here, as a callable.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError, Caller, Headers, HttpRequest, HttpResponse
from labkit.local.api_gateway.control_plane import ControlPlane
from labkit.local.api_gateway.routes import ApiGateway
from labkit.local.clock import Clock
from labkit.local.cloudtrail.trails import CloudTrail
from labkit.local.event_source_mapping.mappings import EventSourceMappings
from labkit.local.eventbridge.rules import EventBridge
from labkit.local.events import Events
from labkit.local.gateway import Forward, Gateway
from labkit.local.iam import Iam
from labkit.local.inbox_page import inbox_page
from labkit.local.lambda_runtime.api import Lambda
from labkit.local.mailbox import Mailbox, Relay
from labkit.local.moto_app.app import MotoApp, not_implemented
from labkit.local.moto_app.iam import Roles
from labkit.local.moto_app.logs import Logs
from labkit.local.moto_app.protocols import serialise
from labkit.local.moto_app.rest_api_changes import RestApiChanges
from labkit.local.moto_app.rest_apis import RestApis
from labkit.local.moto_app.s3 import BucketAccess, Buckets, Listing
from labkit.local.moto_app.streams import Streams
from labkit.local.policy import allows_principal
from labkit.local.policy_simulator import PolicySimulator
from labkit.local.s3_access import S3Access, is_unsigned_s3_request
from labkit.local.s3_listing import S3Listing
from labkit.local.s3_website import Website
from labkit.local.server import Routes, Server
from labkit.local.signature import decode_aws_chunked, verify
from labkit.local.sns.topics import Sns
from labkit.local.sqs.api import Sqs

ANYBODY = Caller("anonymous", "anonymous", account_id="anonymous")
EVENTS = "events.amazonaws.com"
TABLE_WRITES = frozenset(
    {
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "BatchWriteItem",
        "TransactWriteItems",
        "ExecuteStatement",
        "BatchExecuteStatement",
    }
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line decides; *smtp* is ``HOST:PORT`` of a relay or ``None`` for the own inbox."""

    endpoint: str
    state_dir: Path
    access_key: str
    secret_key: str
    token: str
    time_scale: float
    smtp: str | None
    max_environments: int
    concurrency: int
    allowed_hosts: frozenset[str]
    version: str
    public_url: str


class Mails:
    """The inbox, and the way of a mail: to the relay that was asked for, else into the inbox."""

    def __init__(self, settings: Settings) -> None:
        self.mailbox = Mailbox(settings.state_dir / "mail")
        self.port = 0
        self._relay = settings.smtp

    async def start(self) -> None:
        """Open the inbox's SMTP port."""
        self.port = await self.mailbox.start()

    def description(self) -> dict[str, Any]:
        """Tell how many mails lie in the inbox and where mails are sent, for the health page."""
        return {"messages": len(self.mailbox), "smtp_port": self.port, "relay": self._relay or "own inbox"}

    async def send(self, sender: str, to: str, message: bytes) -> None:
        """Send one mail by SMTP."""
        host, _, port = (self._relay or f"127.0.0.1:{self.port}").rpartition(":")
        await Relay(host, int(port)).send(sender, to, message)


class Feature(Protocol):
    """A part that keeps state: *snapshot* is what JSON can hold, and bytes; *restore* goes on from it."""

    def snapshot(self) -> Any: ...  # noqa: D102
    def restore(self, state: Any) -> None: ...  # noqa: D102


class LocalCloud:
    """The parts that were built, to be started, described and closed; *features* in the order they are restored."""

    def __init__(
        self,
        settings: Settings,
        server: Server,
        moto: MotoApp,
        mails: Mails,
        *,
        features: dict[str, Feature],
        closing: list[Callable[[], Any]],
    ) -> None:
        self.server, self.features, self.moto = server, features, moto
        self._settings, self._mails, self._closing = settings, mails, closing
        self._importing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin what runs by itself."""
        await self._mails.start()
        self._importing = asyncio.create_task(self.moto.import_backends())

    def description(self) -> dict[str, Any]:
        """Return what ``local.json`` tells clients."""
        settings = self._settings
        return {
            "endpoint": settings.endpoint,
            "access_key": settings.access_key,
            "secret_key": settings.secret_key,
            "token": settings.token,
            "account_id": ACCOUNT_ID,
            "time_scale": settings.time_scale,
            "smtp_port": self._mails.port,
        }

    @property
    def backends(self) -> str:
        """Whether moto's slow backends are there, ``"importing"`` or ``"ready"``; a call that needs one waits."""
        return "ready" if self._importing and self._importing.done() else "importing"

    async def close(self) -> None:
        """End every part, function processes first."""
        if self._importing:
            self._importing.cancel()
        for close in self._closing:
            result = close()
            if result is not None:
                await result
        self.moto.close()


def build(settings: Settings, *, stop: Callable[[], None]) -> LocalCloud:
    """Connect the parts of the local cloud."""
    sys.setswitchinterval(0.001)  # the event loop must not wait 5 ms for moto's thread
    started = time.time()
    clock, events, moto = Clock(settings.time_scale), Events(), MotoApp()
    buckets, roles, logs, streams, rest_apis = Buckets(moto), Roles(moto), Logs(moto), Streams(moto), RestApis(moto)

    bucket_access = BucketAccess(moto)
    mails = Mails(settings)

    iam = Iam(
        role=roles.role,
        policy_documents=roles.policy_documents,
        administrator=(settings.access_key, settings.secret_key),
        clock=clock,
    )
    sqs = Sqs(clock=clock)

    async def deliver(target_arn: str, message: str) -> None:
        """Hand a record to a destination by its ARN: a queue or a function."""
        service = target_arn.split(":")[2]
        if service == "sqs":
            await sqs.send_to(target_arn, message)
        elif service == "lambda":
            functions.invoke_event(target_arn, message.encode(), source="destination")
        elif service == "sns":
            await sns.publish_from_service(target_arn, message, principal="lambda.amazonaws.com", source_arn="")
        else:
            raise AwsError("InvalidParameterValueException", f"The local cloud cannot deliver to {target_arn}.")

    async def send_to_dlq(target_arn: str, body: str, attributes: dict[str, Any]) -> None:
        await sqs.send_to(target_arn, body, message_attributes=attributes)

    functions = Lambda(
        issue_credentials=iam.issue,
        trusts=iam.trusts,
        role_can=iam.role_can,
        put_log_events=logs.put_log_events,
        get_object=buckets.get_object,
        deliver=deliver,
        send_to_dlq=send_to_dlq,
        clock=clock,
        endpoint=settings.endpoint,
        state_dir=settings.state_dir,
        max_environments=settings.max_environments,
        concurrency=settings.concurrency,
        emit=events.emit,
    )
    mappings = EventSourceMappings(
        queues=sqs,
        stream_length=streams.length,
        read_stream=streams.records,
        invoke=functions.invoke,
        configuration=functions.configuration,
        role_can=iam.role_can,
        deliver=deliver,
        clock=clock,
        emit=events.emit,
    )
    api_gateway = ApiGateway(
        picture=rest_apis.picture,
        live=rest_apis.live,
        invoke=functions.invoke,
        permits=functions.permits,
        role_can=iam.role_can,
        trusts=iam.trusts,
        put_log_events=logs.put_log_events,
        emit=events.emit,
        now=clock.now,
    )

    async def may_write_logs(role_arn: str, region: str) -> bool:
        group = f"arn:aws:logs:{region}:{ACCOUNT_ID}:log-group:API-Gateway-Execution-Logs:log-stream:any"
        return await iam.trusts(role_arn, "apigateway.amazonaws.com") and await iam.role_can(
            role_arn, "logs:PutLogEvents", group
        )

    control_plane = ControlPlane(
        reads=rest_apis,
        changes=RestApiChanges(moto),
        deployed=api_gateway.deployed,
        usage=api_gateway.usage_plans.usage,
        serialise=serialise,
        may_write_logs=may_write_logs,
        now=clock.now,
    )

    sns = Sns(
        send_mail=mails.send,
        send_to_queue=sqs.send_to,
        queue_policy=sqs.policy_of,
        invoke_event=functions.invoke_event,
        permits=functions.permits,
        public_url=lambda: settings.public_url,
        clock=clock,
        emit=events.emit,
    )

    async def rule_to_topic(target_arn: str, message: str, *, rule_arn: str) -> None:
        await sns.publish_from_service(target_arn, message, principal=EVENTS, source_arn=rule_arn)

    async def rule_to_queue(target_arn: str, message: str, *, rule_arn: str) -> None:
        decision = allows_principal(
            sqs.policy_of(target_arn),
            principal={"Service": EVENTS},
            action="sqs:SendMessage",
            resource=target_arn,
            context={"aws:SourceArn": rule_arn},
        )
        if decision != "allow":
            raise AwsError("AccessDenied", f"the queue's policy does not let {EVENTS} send to it for this rule", 403)
        await sqs.send_to(target_arn, message)

    async def rule_to_function(target_arn: str, message: str, *, rule_arn: str) -> None:
        if not functions.permits(target_arn, principal=EVENTS, source_arn=rule_arn):
            raise AwsError("AccessDenied", f"the function's policy does not let {EVENTS} invoke it for this rule", 403)
        functions.invoke_event(target_arn, message.encode(), source="eventbridge")

    eventbridge = EventBridge(
        deliver={"sns": rule_to_topic, "sqs": rule_to_queue, "lambda": rule_to_function},
        send_to_dlq=send_to_dlq,
        clock=clock,
        emit=events.emit,
    )
    cloudtrail = CloudTrail(
        bucket_exists=buckets.exists,
        bucket_policy=buckets.policy,
        put_object=buckets.put_object,
        put_service_event=eventbridge.put_service_event,
        clock=clock,
        emit=events.emit,
    )
    s3_access = S3Access(
        exists=buckets.exists,
        holds=buckets.holds,
        policy=buckets.policy,
        public_access_block=bucket_access.public_access_block,
        block_public_access=bucket_access.block_public_access,
    )
    website = Website(
        exists=buckets.exists,
        configuration=bucket_access.website,
        get_object=buckets.get_object,
        anybody_may=s3_access.anybody_may,
    )

    def after(call: ApiCall, result: dict[str, Any] | None, error: AwsError | None) -> None:
        """Tell the features of writes to what moto keeps."""
        if call.service == "dynamodb" and call.operation in TABLE_WRITES:
            mappings.table_written()
        elif call.service == "iam":
            iam.policies_changed()
        elif call.service == "apigateway":
            api_gateway.observe(call, result, error)

    simulator = PolicySimulator(policy_documents=roles.policy_documents, role=roles.role, serialise=serialise)

    async def authorise(call: ApiCall) -> None:
        """Ask the bucket's policy about a caller whom nobody knows, and the policies of its role about every other."""
        await (s3_access.authorise_anybody(call) if call.caller.kind == "anonymous" else iam.authorise(call))

    gateway = Gateway(
        owners={
            "sqs": sqs.operations,
            "lambda": {**functions.operations, **mappings.operations},
            "sts": iam.operations,
            "sns": sns.operations,
            "events": eventbridge.operations,
            "cloudtrail": cloudtrail.operations,
        },
        forward=moto.forward,
        interceptors={
            **{("apigateway", name): correct for name, correct in control_plane.corrections.items()},
            ("s3", "CreateBucket"): s3_access.create_bucket,
            ("s3", "ListObjectsV2"): S3Listing(objects=Listing(moto).objects).list_objects_v2,
            ("s3", "PutBucketPolicy"): s3_access.put_bucket_policy,
            ("s3", "PutBucketNotificationConfiguration"): s3_access.put_bucket_notification,
            ("s3", "PutBucketWebsite"): s3_access.put_bucket_website,
            ("logs", "PutSubscriptionFilter"): _refuse,
            ("iam", "SimulateCustomPolicy"): simulator.simulate_custom_policy,
            ("iam", "SimulatePrincipalPolicy"): simulator.simulate_principal_policy,
        },
        identify=_identify(iam, clock),
        authorise=authorise,
        observers=[after, cloudtrail.record],
        emit=events.emit,
    )

    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "sqs": sqs.description,
        "lambda": functions.description,
        "event_source_mapping": mappings.description,
        "api_gateway": api_gateway.description,
        "sns": sns.description,
        "eventbridge": eventbridge.description,
        "cloudtrail": cloudtrail.description,
        "mail": mails.description,
        "moto": lambda: {"backends": cloud.backends},
    }

    async def health(request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        return _json(
            {
                "status": "running",
                "version": settings.version,
                "uptime_seconds": round(time.time() - started, 1),
                "account_id": ACCOUNT_ID,
                "time_scale": settings.time_scale,
                "parts": {name: describe() for name, describe in parts.items()},
            }
        )

    async def shutdown(request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        asyncio.get_running_loop().call_later(0.05, stop)
        return _json({"status": "stopping"})

    async def log_lines(request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        return HttpResponse(
            200, ("\n".join(events.recent) + "\n").encode(), {"Content-Type": "text/plain; charset=utf-8"}
        )

    async def event_stream(request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        return HttpResponse(200, headers=headers, stream=events.stream())

    async def inbox(request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        address, wanted = query.get("address"), query.get("format", "html")
        messages = mails.mailbox.messages(address)
        if wanted == "json":
            return HttpResponse(200, json.dumps(messages).encode(), {"Content-Type": "application/json"})
        if wanted == "text":
            text = "\n\n".join(
                f"From: {m['from']}\nTo: {m['to']}\nSubject: {m['subject']}\n\n{m['body']}" for m in messages
            )
            return HttpResponse(200, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})
        return HttpResponse(200, inbox_page(messages, address).encode(), {"Content-Type": "text/html; charset=utf-8"})

    routes = Routes(
        api_call=gateway.handle,
        execute_api=api_gateway.handle,
        website=website.handle,
        pages={
            "/_labkit/shutdown": shutdown,
            "/_labkit/logs": log_lines,
            "/_labkit/events": event_stream,
            "/_labkit/inbox": inbox,
        },
        open_pages={
            "/_labkit/health": health,
            "/_labkit/sns/confirm": sns.subscriptions.confirm_page,
            "/_labkit/sns/unsubscribe": sns.subscriptions.unsubscribe_page,
        },
        token=settings.token,
        allowed_hosts=settings.allowed_hosts,
    )
    features: dict[str, Feature] = {
        "iam": iam,
        "sqs": sqs,
        "lambda": functions,
        "event_source_mapping": mappings,
        "api_gateway": api_gateway,
        "sns": sns,
        "eventbridge": eventbridge,
        "cloudtrail": cloudtrail,
    }
    closing = [mappings.close, functions.close, mails.mailbox.close]
    cloud = LocalCloud(settings, Server(routes), moto, mails, features=features, closing=closing)
    return cloud


def _identify(iam: Iam, clock: Clock) -> Callable[[HttpRequest], tuple[Caller, str, str]]:
    def identify(request: HttpRequest) -> tuple[Caller, str, str]:
        unsigned = is_unsigned_s3_request(request)
        signed = None if unsigned else verify(request, secret_of=iam.secret_of, now=clock.now)
        if request.headers.get("x-amz-content-sha256").startswith("STREAMING-"):
            request.body = decode_aws_chunked(request.body)
        if signed is None:
            # The bucket policy is asked below (authorise); moto would ask its own idea of it, and refuse HEAD.
            request.headers = Headers([*request.headers.items, ("Authorization", "nobody")])
            return ANYBODY, "us-east-1", "s3"
        return iam.caller_of(signed.access_key_id), signed.region, signed.service

    return identify


async def _refuse(call: ApiCall, forward: Forward) -> HttpResponse:
    """Refuse what moto would keep and deliver inside itself, where nobody of ours sees it."""
    raise not_implemented(call.service, call.operation)


def _json(content: dict[str, Any]) -> HttpResponse:
    return HttpResponse(200, json.dumps(content).encode(), {"Content-Type": "application/json"})
