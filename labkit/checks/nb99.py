"""Notebook 99: an order of deletion that works, and a proof that needs no tags."""

from __future__ import annotations

import contextlib
import functools
import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from labkit.checks.prediction import prediction
from labkit.checks.scratch_stream import TRUST, client, patiently, quietly, zipped
from labkit.checks.verdict import Verdict, correct, not_yet
from labkit.cloud import settings, tags
from labkit.names import name
from labkit.waiting import wait_until

STEPS = (
    "delete_bucket",
    "delete_queue",
    "delete_role",
    "delete_event_source_mapping",
    "delete_object",
    "delete_role_policy",
)
READ_QUEUE = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
WHY = {
    "delete_bucket": "an object is still in it",
    "delete_role": "its policy is still on it",
}


@dataclass(frozen=True, slots=True)
class ScratchSet:
    """A queue with a mapping on it, a bucket with an object, a role with a policy; all have the name *base*."""

    base: str
    bucket: str
    queue_url: str
    queue_arn: str
    mapping: str

    def step(self, call: str) -> None:
        """Make one of the six calls."""
        base, bucket = self.base, self.bucket
        calls: dict[str, Callable[[], object]] = {
            "delete_bucket": lambda: client("s3").delete_bucket(Bucket=bucket),
            "delete_object": lambda: client("s3").delete_object(Bucket=bucket, Key="last-visit.json"),
            "delete_queue": lambda: client("sqs").delete_queue(QueueUrl=self.queue_url),
            "delete_event_source_mapping": self.unmap,
            "delete_role": lambda: client("iam").delete_role(RoleName=base),
            "delete_role_policy": lambda: client("iam").delete_role_policy(RoleName=base, PolicyName="scratch"),
        }
        calls[call]()

    def unmap(self) -> None:
        """Delete the mapping and wait until it has gone."""
        client("lambda").delete_event_source_mapping(UUID=self.mapping)
        wait_until(lambda: not self.mapped(), what="the end of the mapping", timeout=120, interval=0.05)

    def mapped(self) -> bool:
        """Whether a mapping still reads the queue."""
        found = client("lambda").list_event_source_mappings(EventSourceArn=self.queue_arn)
        return any(one["State"] != "Deleting" for one in found["EventSourceMappings"])


@contextlib.contextmanager
def scratch_set() -> Iterator[ScratchSet]:
    """Build the set; remove at the end whatever of it is still there."""
    sqs, iam, s3, aws_lambda = (client(service) for service in ("sqs", "iam", "s3", "lambda"))
    short = f"check-{uuid.uuid4().hex[:8]}"
    base, bucket = name(short), name(short, bucket=True)
    pairs = [{"Key": key, "Value": value} for key, value in tags().items()]
    with contextlib.ExitStack() as undo:
        outside = {"CreateBucketConfiguration": {"LocationConstraint": settings()["region"]}}
        s3.create_bucket(Bucket=bucket, **({} if settings()["region"] == "us-east-1" else outside))
        undo.callback(quietly, lambda: s3.delete_bucket(Bucket=bucket))
        undo.callback(quietly, lambda: s3.delete_object(Bucket=bucket, Key="last-visit.json"))
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": pairs})
        s3.put_object(Bucket=bucket, Key="last-visit.json", Body=b"{}")
        url = sqs.create_queue(QueueName=base, tags=tags())["QueueUrl"]
        undo.callback(quietly, lambda: sqs.delete_queue(QueueUrl=url))
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
        role = iam.create_role(RoleName=base, AssumeRolePolicyDocument=trust, Tags=pairs)["Role"]["Arn"]
        undo.callback(quietly, lambda: iam.delete_role(RoleName=base))
        read = {"Effect": "Allow", "Action": READ_QUEUE, "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [read]})
        iam.put_role_policy(RoleName=base, PolicyName="scratch", PolicyDocument=policy)
        undo.callback(quietly, lambda: iam.delete_role_policy(RoleName=base, PolicyName="scratch"))
        patiently(
            lambda: aws_lambda.create_function(
                FunctionName=base, Runtime="python3.13", Role=role, Handler="lambda_function.lambda_handler",
                Code={"ZipFile": zipped("def lambda_handler(event, context):\n    pass\n")}, Tags=tags(),
            )
        )  # fmt: skip
        aws_lambda.get_waiter("function_active_v2").wait(FunctionName=base, WaiterConfig={"Delay": 1})
        created = patiently(lambda: aws_lambda.create_event_source_mapping(EventSourceArn=arn, FunctionName=base))
        mapping = str(created["UUID"])
        undo.callback(quietly, lambda: aws_lambda.delete_event_source_mapping(UUID=mapping))
        aws_lambda.delete_function(FunctionName=base)
        yield ScratchSet(base, bucket, url, arn, mapping)


def order_of_deletion(steps: Any) -> Verdict:
    """Run the six steps on a set of the check's own, and watch for refusals and for what is left."""
    if isinstance(steps, str) or not isinstance(steps, Iterable):
        return not_yet(f"steps is a {type(steps).__name__}; write a list of six names of calls")
    order = [str(step).strip().removesuffix("()") for step in steps]
    if unknown := [step for step in order if step not in STEPS]:
        return not_yet(f"{unknown[0]!r} is none of the six calls; they are: {', '.join(STEPS)}")
    if sorted(order) != sorted(STEPS):
        missing = [step for step in STEPS if step not in order]
        return not_yet(
            f"each call is needed once; {'missing: ' + ', '.join(missing) if missing else 'one is there twice'}"
        )
    with scratch_set() as scratch:
        for number, step in enumerate(order, 1):
            try:
                scratch.step(step)
            except ClientError as error:
                refusal = f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
                return not_yet(
                    f"step {number}, {step}, was refused ({refusal}): {WHY.get(step, 'look at the steps before')}"
                )
            if step == "delete_queue" and scratch.mapped():
                return not_yet(
                    f"step {number}, delete_queue, was accepted, and the mapping that reads the queue is left: it goes "
                    "on asking for a queue that no longer exists. First the reader, then what it reads"
                )
    return correct("six steps, none refused, nothing left behind")


@dataclass(frozen=True, slots=True)
class Planted:
    """What a search should find: words by which each thing is recognised."""

    part: str
    tagged_bucket: str
    queue: str
    log_group: str
    topic: str
    address: str
    decoy: str


@contextlib.contextmanager
def planted() -> Iterator[Planted]:
    """Plant five things with random names, one of them with a tag, and one of somebody else."""
    s3, sqs, logs, sns = (client(service) for service in ("s3", "sqs", "logs", "sns"))
    part, other = (f"-{uuid.uuid4().hex[:8]}" for _ in range(2))
    # Each name ends with the lab's id, so that a removal that was interrupted can be mended by hand.
    lab = settings()["lab_id"]
    bucket = f"old-{uuid.uuid4().hex[:6]}{part}-{lab}-{settings()['account']}"
    queue, decoy = f"old-{uuid.uuid4().hex[:6]}{part}-{lab}", f"old-{uuid.uuid4().hex[:6]}{other}-{lab}"
    group, address = f"/aws/lambda/old-{uuid.uuid4().hex[:6]}{part}-{lab}", f"nobody{part}@example.com"
    with contextlib.ExitStack() as undo:
        outside = {"CreateBucketConfiguration": {"LocationConstraint": settings()["region"]}}
        s3.create_bucket(Bucket=bucket, **({} if settings()["region"] == "us-east-1" else outside))
        undo.callback(quietly, lambda: s3.delete_bucket(Bucket=bucket))
        pairs = [{"Key": key, "Value": value} for key, value in tags().items()]
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": pairs})
        for one in (queue, decoy):
            url = sqs.create_queue(QueueName=one)["QueueUrl"]
            undo.callback(quietly, functools.partial(sqs.delete_queue, QueueUrl=url))
        logs.create_log_group(logGroupName=group)
        undo.callback(quietly, lambda: logs.delete_log_group(logGroupName=group))
        topic = sns.create_topic(Name=queue)["TopicArn"]
        undo.callback(quietly, lambda: sns.delete_topic(TopicArn=topic))
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
        yield Planted(part, bucket, queue, group, topic, address, decoy)


def proof_without_tags(left_behind: Any) -> Verdict:
    """Plant leftovers, and look which of them the learner's function tells; it must not delete any."""
    if not callable(left_behind):
        return not_yet("left_behind must be a function that takes a part of a name")
    with planted() as there:
        text = _text_of(left_behind(there.part))
        verdict = _judge(text, there)
        return verdict if _all_there(there) else not_yet("something was deleted while you looked; a proof only reads")


def _text_of(answer: Any) -> list[str]:
    if isinstance(answer, dict):
        return [f"{key} {text}" for key, value in answer.items() for text in _text_of(value)]
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        return [str(answer)]
    if hasattr(answer, "to_csv"):
        return str(answer.to_csv(index=True)).splitlines()
    return [str(one) for one in answer]


def _judge(texts: list[str], there: Planted) -> Verdict:
    def told(word: str) -> bool:
        return any(word in text for text in texts)

    if told(there.decoy):
        return not_yet(f"it also tells {there.decoy}, which has another name; only names with part in them count")
    found = {
        "the bucket": told(there.tagged_bucket),
        "the queue": any(text.endswith(there.queue) and not text.startswith("arn:aws:sns") for text in texts)
        or any(there.queue in text and "sqs" in text.lower() for text in texts),
        "the log group": told(there.log_group),
        "the topic": told(there.topic.rpartition(":")[2]),
        "the subscription": told(there.address) or told("PendingConfirmation"),
    }
    missed = [what for what, yes in found.items() if not yes]
    if not missed:
        return correct("all five are found, four of them without a tag, and nothing was touched")
    if len(missed) == len(found):
        return not_yet("it finds none of the five; their names are random, so only the services' lists tell them")
    if missed == ["the subscription"]:
        return not_yet(
            "it misses the subscription that nobody has confirmed: its ARN is the word PendingConfirmation, so tell it "
            "by its Endpoint and TopicArn"
        )
    if found["the bucket"] and len(missed) == len(found) - 1:
        return not_yet("it finds only the one thing that carries a tag; the four others carry none")
    return not_yet(f"it misses {', '.join(missed)}")


def _all_there(there: Planted) -> bool:
    try:
        client("s3").head_bucket(Bucket=there.tagged_bucket)
        client("sqs").get_queue_url(QueueName=there.queue)
        client("sqs").get_queue_url(QueueName=there.decoy)
        client("sns").get_topic_attributes(TopicArn=there.topic)
    except ClientError:
        return False
    groups = client("logs").describe_log_groups(logGroupNamePrefix=there.log_group)["logGroups"]
    waiting = client("sns").list_subscriptions_by_topic(TopicArn=there.topic)["Subscriptions"]
    return bool(groups) and bool(waiting)


CHECKS = {
    "1": order_of_deletion,
    "2": proof_without_tags,
    "predict": prediction(
        right="a",
        replies={
            "a": "Lambda made it, without a tag and without an end date. That is why it comes last in every clean-up",
            "b": "the log group is a thing of its own in another service; Lambda made it and never looks at it again. "
            "It stays, and costs its storage",
            "c": "it would, if somebody had said so with put_retention_policy; without it log lines never expire",
        },
    ),
}
