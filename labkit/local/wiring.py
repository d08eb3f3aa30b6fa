"""How the local cloud is put together: read :func:`build` as the architecture diagram, each line one arrow.

Features do not import one another. What one needs of another it gets here, as a callable.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from labkit.local.api_call import ApiCall
from labkit.local.api_gateway.control_plane import ControlPlane
from labkit.local.api_gateway.invoke_test import TestInvokes
from labkit.local.api_gateway.routes import ApiGateway
from labkit.local.clock import Clock
from labkit.local.cloudtrail.api import CloudTrail
from labkit.local.cloudwatch.api import CloudWatch
from labkit.local.cloudwatch.log_events import LogEvents
from labkit.local.cloudwatch.log_subscription_filters import LogSubscriptionFilters
from labkit.local.cloudwatch.metrics import Metrics
from labkit.local.destinations import Destinations
from labkit.local.durability.durability import Durability
from labkit.local.durability.journal_file import JournalFile
from labkit.local.event_source_mapping.mappings import EventSourceMappings
from labkit.local.eventbridge.api import EventBridge
from labkit.local.eventbridge.targets import Targets
from labkit.local.events import Events
from labkit.local.front_door.gateway import Gateway
from labkit.local.front_door.identify import identifier
from labkit.local.front_door.server import Routes, Server
from labkit.local.iam import identity_policy
from labkit.local.iam.access_keys import AccessKeys
from labkit.local.iam.authorisation import Iam
from labkit.local.iam.policy_simulator import PolicySimulator
from labkit.local.iam.sts import Sts
from labkit.local.iam.users import Users
from labkit.local.lambda_runtime.api import Lambda
from labkit.local.local_cloud import DescribedFeature, Feature, LocalCloud, Settings
from labkit.local.mailbox import Mails
from labkit.local.moto_app.answers import parse_answer, serialise, serialise_error
from labkit.local.moto_app.app import MotoApp
from labkit.local.moto_app.aws_managed_policies import AwsManagedPolicies
from labkit.local.moto_app.constraints import check_constraints, check_required
from labkit.local.moto_app.dynamodb_items import Items
from labkit.local.moto_app.iam import Principals
from labkit.local.moto_app.kinesis import KinesisStreams
from labkit.local.moto_app.logs import Logs
from labkit.local.moto_app.operations import MOTO_SERVICES, moto_answers
from labkit.local.moto_app.picture import picture
from labkit.local.moto_app.rest_api_changes import RestApiChanges
from labkit.local.moto_app.rest_apis import RestApis
from labkit.local.moto_app.s3 import Buckets
from labkit.local.moto_app.s3_objects import Objects
from labkit.local.moto_app.state import MotoState, moto_version
from labkit.local.moto_app.streams import Streams
from labkit.local.pages.live_map import LiveMap
from labkit.local.pages.pages import Pages
from labkit.local.s3.access import S3Access
from labkit.local.s3.cors import Cors
from labkit.local.s3.errors import no_such_bucket
from labkit.local.s3.interceptors import interceptors as interceptors_of_s3
from labkit.local.s3.notifications.notifications import Notifications
from labkit.local.s3.post_object import PostObject
from labkit.local.s3.website import Website
from labkit.local.sns.api import Sns
from labkit.local.sqs.api import Sqs

TOUCHED_BY = {
    "sts": ["iam"], "iam": ["iam"], "sqs": ["sqs"], "lambda": ["lambda", "event_source_mapping"], "sns": ["sns"],
    "events": ["eventbridge"], "apigateway": ["api_gateway"], "cloudtrail": ["cloudtrail"], "s3": ["s3_notifications"],
    "logs": ["log_subscription_filters"],
}  # fmt: skip


def build(settings: Settings, *, stop: Callable[[], None]) -> LocalCloud:
    """Connect the parts of the local cloud."""
    sys.setswitchinterval(0.001)  # the event loop must not wait 5 ms for moto's thread

    # --- What everything stands on ------------------------------------------------------------------------------------

    clock, events, moto, destinations = Clock(settings.time_scale), Events(), MotoApp(), Destinations()
    buckets, principals, streams = Buckets(moto), Principals(moto), Streams(moto)
    rest_apis, kinesis = RestApis(moto), KinesisStreams(moto)
    journal = JournalFile(settings.journal, {"moto": moto_version()}) if settings.journal else None
    durability = Durability(
        journal, moto=MotoState(moto), touched_by=TOUCHED_BY, activity=lambda: events.count, emit=events.emit
    )
    logs = Logs(moto, grown=durability.log_grown)

    # --- SQS, and the metrics of all ----------------------------------------------------------------------------------

    metrics = Metrics(now=clock.now, note=durability.noting("cloudwatch_metrics"))
    sqs = Sqs(clock=clock, measure=metrics.add, note=durability.noting("sqs"))
    destinations.add("sqs", sqs.send_to, policy_of=sqs.policy_of)
    metrics.gauges = sqs.gauges
    cloudwatch = CloudWatch(metrics, serialise=serialise, parse=parse_answer)

    # --- IAM and STS: who calls, and who may --------------------------------------------------------------------------

    keys = AccessKeys(
        role=principals.role,
        user_keys=principals.user_keys,
        administrator=(settings.access_key, settings.secret_key),
        clock=clock,
    )

    iam = Iam(
        role=principals.role,
        permissions=principals.permissions,
        session=keys.narrowing,
        resource_policies={
            "s3": lambda arn: buckets.policy(arn.rpartition(":")[2]),
            "sqs": destinations.policy_of,
            "sns": destinations.policy_of,
        },
        now=clock.now,
    )
    identify = identifier(ready=keys.ready, secret_of=keys.secret_of, caller_of=keys.caller_of, now=clock.now)
    sts = Sts(
        keys=keys,
        role=principals.role,
        why_not=iam.why_not,
        tags=principals.tags,
        policy=principals.managed_policy,
        now=clock.now,
    )

    # --- Lambda and its event source mappings -------------------------------------------------------------------------

    async def invoke_event(arn: str, text: str, *, source: str = "destination") -> None:
        functions.invoke_event(arn, text.encode(), source=source)

    async def get_package(bucket: str, key: str) -> Any:
        if not await buckets.exists(bucket):
            raise no_such_bucket(bucket)
        return await buckets.get_object(bucket, key)

    async def put_object(service: str, bucket: str, key: str, body: bytes, content_type: str) -> None:
        """Store an object for a service of AWS; the bucket tells of it as of every other."""
        if not await buckets.exists(bucket):
            raise no_such_bucket(bucket)
        await buckets.put_object(bucket, key, body, content_type)
        await durability.object_stored(bucket, key)
        await notifications.written_by_service(bucket, key, service)

    async def put_record(arn: str, text: str) -> None:
        bucket, _, key = arn.removeprefix("arn:aws:s3:::").partition("/")
        await put_object("lambda.amazonaws.com", bucket, key, text.encode(), "application/json")

    functions = Lambda(
        issue_credentials=keys.issue,
        trusts=iam.trusts,
        role_can=iam.role_can,
        put_log_events=logs.put_log_events,
        get_object=get_package,
        deliver=destinations.send_by_role,
        tags_of_mapping=lambda arn: mappings.tags_of(arn),  # noqa: PLW0108  made below
        clock=clock,
        endpoint=settings.endpoint,
        state_dir=settings.state_dir,
        max_environments=settings.max_environments,
        concurrency=settings.concurrency,
        measure=metrics.add,
        emit=events.emit,
        note=durability.noting("lambda"),
    )
    destinations.add("lambda", invoke_event, policy_of=functions.policy_of)
    destinations.add("s3", put_record)
    mappings = EventSourceMappings(
        queues=sqs,
        streams={"dynamodb": streams, "kinesis": kinesis},
        invoke=functions.invoke,
        configuration=functions.configuration,
        role_can=iam.role_can,
        deliver=destinations.send_by_role,
        iterator_age=lambda arn, milliseconds: metrics.add(arn, "IteratorAge", round(milliseconds)),
        most_batches=settings.max_environments,
        clock=clock,
        emit=events.emit,
        note=durability.noting("event_source_mapping"),
    )

    # --- API Gateway --------------------------------------------------------------------------------------------------

    api_gateway = ApiGateway(
        live=rest_apis.live,
        invoke=functions.invoke,
        permits=destinations.permits,
        role_can=iam.role_can,
        trusts=iam.trusts,
        identify=identify,
        caller_can=iam.caller_can,
        send_to_queue=sqs.send_to,
        put_log_events=logs.put_log_events,
        emit=events.emit,
        now=clock.now,
    )

    test_invokes = TestInvokes(picture=rest_apis.picture, integrate=api_gateway.integrate, now=clock.now)
    control_plane = ControlPlane(
        reads=rest_apis,
        changes=RestApiChanges(moto),
        deployed=api_gateway.deployed,
        usage=api_gateway.usage_plans.usage,
        test_invoke_method=test_invokes.test_invoke_method,
        serialise=serialise,
        trusts=iam.trusts,
        role_can=iam.role_can,
        now=clock.now,
    )

    # --- From a change to a mail: logs, SNS, EventBridge, CloudTrail --------------------------------------------------

    log_filters = LogSubscriptionFilters(
        group_exists=logs.group_exists,
        permits=destinations.permits,
        invoke_event=functions.invoke_event,
        serialise=serialise,
        now=clock.now,
        emit=events.emit,
    )
    logs.written = log_filters.written

    mails = Mails(settings.state_dir / "mail", settings.smtp)

    sns = Sns(
        send_mail=mails.send,
        destinations=destinations,
        public_url=lambda: settings.public.for_mail,
        clock=clock,
        measure=metrics.add,
        note=durability.noting("sns"),
        emit=events.emit,
    )
    destinations.add("sns", sns.take, policy_of=sns.policy_of)

    eventbridge = EventBridge(
        targets=Targets(destinations, log_policies=logs.resource_policies, put_log_event=logs.put_log_event),
        check=check_constraints,
        clock=clock,
        measure=metrics.add,
        note=durability.noting("eventbridge"),
        emit=events.emit,
    )
    destinations.add("events", eventbridge.put_invocation_result)
    cloudtrail = CloudTrail(
        bucket_exists=buckets.exists,
        bucket_policy=buckets.policy,
        put_object=functools.partial(put_object, "cloudtrail.amazonaws.com"),
        put_service_event=eventbridge.put_service_event,
        check=check_required,
        clock=clock,
        emit=events.emit,
        note=durability.noting("cloudtrail"),
    )

    # --- S3 -----------------------------------------------------------------------------------------------------------

    notifications = Notifications(
        region_of=buckets.region,
        version_of=buckets.version,
        parse_answer=parse_answer,
        serialise=serialise,
        destinations=destinations,
        put_event=eventbridge.put_service_event,
        now=clock.now,
        emit=events.emit,
    )
    s3_access = S3Access(
        exists=buckets.exists,
        holds=buckets.holds,
        policy=buckets.policy,
        public_access_block=buckets.public_access_block,
        block_public_access=buckets.block_public_access,
    )
    website = Website(
        exists=buckets.exists,
        configuration=buckets.website,
        get_object=buckets.get_object,
        anybody_may=s3_access.anybody_may,
    )

    live_map = LiveMap(
        draw=[
            sqs.picture,
            lambda: functions.picture(metrics.total, metrics.latest),
            mappings.picture,
            sns.picture,
            eventbridge.picture,
            cloudtrail.picture,
            notifications.picture,
            log_filters.picture,
        ],
        look=lambda: picture(moto),
        events=events,
    )

    # --- The front door: the way of an AWS call -----------------------------------------------------------------------

    async def authorise(call: ApiCall) -> None:
        """Ask the bucket's policy about a caller whom nobody knows, and the policies of its own about every other."""
        if call.caller.kind == "anonymous":
            await s3_access.authorise_anybody(call)
            return
        await iam.authorise(call)
        if call.caller.kind != "administrator" and await s3_access.asks_for_what_is_missing(call):
            await iam.demand(call, "s3:ListBucket", f"arn:aws:s3:::{call.params['Bucket']}")

    simulator = PolicySimulator(permissions=principals.permissions, exists=principals.exists, serialise=serialise)
    aws_managed_policies = AwsManagedPolicies(moto)

    gateway = Gateway(
        owners={
            "sqs": sqs.operations,
            "lambda": {**functions.operations, **mappings.operations},
            "sts": sts.operations,
            "sns": sns.operations,
            "events": eventbridge.operations,
            "cloudtrail": cloudtrail.operations,
        },
        forward=moto.forward,
        forwards=moto_answers,
        forwarded_services=MOTO_SERVICES,
        interceptors={
            **{("apigateway", name): correct for name, correct in control_plane.corrections.items()},
            **interceptors_of_s3(
                access=s3_access,
                notifications=notifications,
                objects=Objects(moto),
                upload_exists=buckets.upload_exists,
                get_object=buckets.get_object,
            ),
            **Items(moto).interceptors,
            **streams.interceptors,
            **kinesis.interceptors,
            **cloudwatch.interceptors,
            **log_filters.interceptors,
            **LogEvents(written=functions.logs_written, events=logs.events, serialise=serialise).interceptors,
            **Users(serialise=serialise, now=clock.now).interceptors,
            **simulator.interceptors,
            **identity_policy.INTERCEPTORS,
            **aws_managed_policies.interceptors,
            ("iam", "CreatePolicyVersion"): aws_managed_policies.but_for_these(identity_policy.keep_identity_policy),
        },
        identify=identify,
        authorise=authorise,
        observers=[
            keys.observe,
            iam.observe,
            mappings.observe,
            notifications.observe,
            log_filters.observe,
            api_gateway.observe,
            cloudtrail.record,
            durability.call_made,
            live_map.observe,
        ],
        kept=durability.kept,
        emit=events.emit,
    )

    post_object = PostObject(
        answer=gateway.handle, ready=keys.ready, secret_of=keys.secret_of, now=clock.now, error=serialise_error
    )
    cors = Cors(rules=buckets.cors_rules, answer=post_object.handle, error=serialise_error)

    # --- What is kept, and labkit's own pages -------------------------------------------------------------------------

    described: dict[str, DescribedFeature] = {
        "sqs": sqs,
        "lambda": functions,
        "event_source_mapping": mappings,
        "api_gateway": api_gateway,
        "sns": sns,
        "eventbridge": eventbridge,
        "cloudtrail": cloudtrail,
        "s3_notifications": notifications,
    }
    features: dict[str, Feature] = {
        "iam": keys, **described, "log_subscription_filters": log_filters, "cloudwatch_metrics": metrics
    }  # fmt: skip
    durability.features = features
    pages = Pages(
        settings,
        parts={
            **{name: feature.description for name, feature in described.items()},
            "mail": mails.description,
            "moto": moto.description,
        },
        events=events,
        stream=live_map.stream,
        messages=mails.mailbox.messages,
        stop=stop,
    )
    routes = Routes(
        api_call=cors.handle,
        too_large=gateway.too_large,
        knows_key=keys.knows,
        execute_api=api_gateway.handle,
        website=website.handle,
        pages={
            "/_labkit/shutdown": pages.shutdown,
            "/_labkit/logs": pages.log_lines,
            "/_labkit/events": pages.event_stream,
            "/_labkit/inbox": pages.inbox,
        },
        open_pages={
            "/_labkit/health": pages.health,
            "/_labkit/function-code": functions.code_page,
            "/_labkit/map": pages.map,
            "/_labkit/map.js": pages.map_module,
            "/_labkit/sns/confirm": sns.pages.confirm,
            "/_labkit/sns/unsubscribe": sns.pages.unsubscribe,
        },
        token=settings.token,
        allowed_hosts=settings.allowed_hosts,
        public=settings.public,
    )

    return LocalCloud(
        settings,
        Server(routes),
        gateway,
        moto,
        mails,
        durability=durability,
        features=features,
        starting=[metrics.start],
        keeping=[functions.logs_written],
        closing=[metrics.close, eventbridge.close, mappings.close, functions.close, mails.mailbox.close],
    )
