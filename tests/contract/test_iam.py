"""Users with keys, roles that are assumed, and which policies decide about them.

Sources: IAM User Guide, "Policy evaluation logic", "Troubleshoot access denied error messages", "IAM JSON policy
elements: Principal", "Permissions boundaries"; AWS STS API Reference; AWS Managed Policy Reference Guide.
"""

from __future__ import annotations

import functools
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
EMPTY = {"Version": "2012-10-17", "Statement": []}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", effect="Allow", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def code_of(call, **arguments):
    """The error code of a call, or None."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def refusal(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Message"]


@pytest.fixture
def user(client, unique):
    """``user(statement, …)``: the name of a new user, and a function that makes its clients."""
    iam, made = client("iam"), []

    def user(*statements, **settings):
        name = unique("user")
        iam.create_user(UserName=name, **settings)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
        key = iam.create_access_key(UserName=name)["AccessKey"]

        def as_user(service):
            made.append(client(service, **of(key)))
            return made[-1]

        return name, as_user

    yield user
    for one in made:
        one.close()


def of(keys):
    """The arguments of a client that signs with *keys*."""
    signed = {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"]}
    return signed | ({"aws_session_token": keys["SessionToken"]} if "SessionToken" in keys else {})


@pytest.fixture
def role(client, unique):
    """``role(trust_statement, statement, …)``: the ARN of a new role."""

    def role(principal, *statements, condition=None, **settings):
        name = unique("role")
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        trust |= {"Condition": condition} if condition else {}
        made = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document(trust), **settings)
        if statements:
            client("iam").put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
        return made["Role"]["Arn"]

    return role


@pytest.fixture
def bucket(client, unique):
    name = unique("iam")
    client("s3").create_bucket(Bucket=name)
    client("s3").put_object(Bucket=name, Key="a", Body=b"a")
    return name


def test_a_user_may_what_its_policies_allow_and_nothing_else(client, user, bucket):
    """A user begins with nothing, except to be told who they are."""
    name, as_user = user()
    s3, identity = as_user("s3"), as_user("sts").get_caller_identity()

    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{name}"
    assert identity["UserId"] == client("iam").get_user(UserName=name)["User"]["UserId"]
    assert refusal(s3.list_objects_v2, Bucket=bucket) == (
        f"User: arn:aws:iam::{ACCOUNT}:user/{name} is not authorized to perform: s3:ListBucket on resource: "
        f'"arn:aws:s3:::{bucket}" because no identity-based policy allows the s3:ListBucket action'
    )
    mine = document(allow("s3:ListBucket", f"arn:aws:s3:::{bucket}"))
    client("iam").put_user_policy(UserName=name, PolicyName="own", PolicyDocument=mine)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    assert code_of(as_user("iam").list_users) == "AccessDenied"


def test_a_key_is_active_inactive_or_gone(client, user):
    """CreateAccessKey, UpdateAccessKey and DeleteAccessKey count at the next call."""
    name, as_user = user()
    sts, iam = as_user("sts"), client("iam")
    key = iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["AccessKeyId"]

    iam.update_access_key(UserName=name, AccessKeyId=key, Status="Inactive")
    assert code_of(sts.get_caller_identity) == "InvalidClientTokenId"
    iam.update_access_key(UserName=name, AccessKeyId=key, Status="Active")
    assert code_of(sts.get_caller_identity) is None
    iam.delete_access_key(UserName=name, AccessKeyId=key)
    assert code_of(sts.get_caller_identity) == "InvalidClientTokenId"


def test_a_group_gives_its_policies_to_its_users(client, user, bucket, unique):
    """Policies are attached once, people come and go."""
    name, as_user = user()
    iam, group, s3 = client("iam"), unique("group"), as_user("s3")
    iam.create_group(GroupName=group)
    iam.attach_group_policy(GroupName=group, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")

    assert code_of(s3.get_object, Bucket=bucket, Key="a") == "AccessDenied"
    iam.add_user_to_group(GroupName=group, UserName=name)
    assert code_of(s3.get_object, Bucket=bucket, Key="a") is None
    assert code_of(s3.put_object, Bucket=bucket, Key="a", Body=b"") == "AccessDenied"
    iam.remove_user_from_group(GroupName=group, UserName=name)
    assert code_of(s3.get_object, Bucket=bucket, Key="a") == "AccessDenied"


def test_an_explicit_deny_wins(user, bucket):
    """Whatever else allows it."""
    name, as_user = user(allow("*"), allow("s3:DeleteObject", "*", effect="Deny"))

    assert refusal(as_user("s3").delete_object, Bucket=bucket, Key="a") == (
        f"User: arn:aws:iam::{ACCOUNT}:user/{name} is not authorized to perform: s3:DeleteObject on resource: "
        f'"arn:aws:s3:::{bucket}/a" with an explicit deny in an identity-based policy'
    )


def test_variables_give_everybody_a_folder_of_their_own(user, bucket):
    """One policy for all: ``${aws:username}`` is whoever calls."""
    folder = f"arn:aws:s3:::{bucket}/home/${{aws:username}}/*"
    only_home = {"StringLike": {"s3:prefix": ["home/${aws:username}/*"]}}
    statements = (allow("s3:PutObject", folder), allow("s3:ListBucket", f"arn:aws:s3:::{bucket}", Condition=only_home))
    (ada, as_ada), (bob, _) = user(*statements), user()
    s3 = as_ada("s3")

    assert code_of(s3.put_object, Bucket=bucket, Key=f"home/{ada}/x", Body=b"") is None
    assert code_of(s3.put_object, Bucket=bucket, Key=f"home/{bob}/x", Body=b"") == "AccessDenied"
    assert s3.list_objects_v2(Bucket=bucket, Prefix=f"home/{ada}/")["KeyCount"] == 1
    assert code_of(s3.list_objects_v2, Bucket=bucket) == "AccessDenied"


def test_tags_of_who_calls_and_of_what_is_asked(client, user):
    """Access by attributes: a team may make what carries its own tag."""
    condition = {"StringEquals": {"aws:RequestTag/team": "${aws:PrincipalTag/team}"}}
    statement = allow("sqs:CreateQueue", Condition=condition)
    _, as_user = user(statement, Tags=[{"Key": "team", "Value": "shop"}])
    sqs = as_user("sqs")

    assert code_of(sqs.create_queue, QueueName="of-the-shop", tags={"team": "shop"}) is None
    assert code_of(sqs.create_queue, QueueName="of-another", tags={"team": "lake"}) == "AccessDenied"
    assert code_of(sqs.create_queue, QueueName="of-nobody") == "AccessDenied"


def test_a_bucket_policy_opens_and_closes_for_those_of_the_account(client, user, role, bucket):
    """Within an account either of the two policies is enough; a Deny is a Deny for the administrator, too."""
    name, as_user = user()
    s3 = as_user("s3")
    arn = f"arn:aws:s3:::{bucket}/*"

    def put(*statements):
        client("s3").put_bucket_policy(Bucket=bucket, Policy=document(*statements))

    put(allow("s3:GetObject", arn, Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}))
    assert code_of(s3.get_object, Bucket=bucket, Key="a") is None
    put(allow("s3:GetObject", arn, Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
    assert code_of(s3.get_object, Bucket=bucket, Key="a") == "AccessDenied"  # the account must allow it as well
    put(allow("s3:GetObject", arn, effect="Deny", Principal="*"))
    assert refusal(client("s3").get_object, Bucket=bucket, Key="a") == (
        f"User: arn:aws:iam::{ACCOUNT}:user/lab-administrator is not authorized to perform: s3:GetObject on resource: "
        f'"arn:aws:s3:::{bucket}/a" with an explicit deny in a resource-based policy'
    )
    not_her = {"AWS": [f"arn:aws:iam::{ACCOUNT}:user/{name}", f"arn:aws:iam::{ACCOUNT}:root"]}
    put(allow("s3:*", arn, effect="Deny", NotPrincipal=not_her))
    assert code_of(client("s3").get_object, Bucket=bucket, Key="a") is None
    client("s3").delete_bucket_policy(Bucket=bucket)


def test_a_role_is_judged_by_the_bucket_policy_as_well(client, role, bucket):
    """The policy may name the role; every session of it is meant."""
    arn = role({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    keys = client("sts").assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
    s3 = client("s3", **of(keys))
    statement = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal={"AWS": arn})

    assert code_of(s3.get_object, Bucket=bucket, Key="a") == "AccessDenied"
    client("s3").put_bucket_policy(Bucket=bucket, Policy=document(statement))
    assert code_of(s3.get_object, Bucket=bucket, Key="a") is None
    assert code_of(s3.put_object, Bucket=bucket, Key="a", Body=b"") == "AccessDenied"
    s3.close()


def test_who_may_not_list_is_not_told_what_is_missing(user, bucket):
    """403 in the place of 404: why a function that may only read says AccessDenied for a wrong key."""
    name, as_user = user(allow("s3:GetObject"))

    assert refusal(as_user("s3").get_object, Bucket=bucket, Key="not-there") == (
        f"User: arn:aws:iam::{ACCOUNT}:user/{name} is not authorized to perform: s3:ListBucket on resource: "
        f'"arn:aws:s3:::{bucket}" because no identity-based policy allows the s3:ListBucket action'
    )


def test_handing_a_role_to_a_service_needs_pass_role(user, role):
    """Else whoever may create functions could do anything that some role may."""
    name, as_user = user(allow("lambda:*"))
    arn = role({"Service": "lambda.amazonaws.com"})
    code = {"ZipFile": b"no zip"}

    assert refusal(
        as_user("lambda").create_function, FunctionName="f", Role=arn, Code=code, Runtime="python3.13", Handler="a.b"
    ) == (
        f"User: arn:aws:iam::{ACCOUNT}:user/{name} is not authorized to perform: iam:PassRole on resource: {arn} "
        "because no identity-based policy allows the iam:PassRole action"
    )


def test_a_permissions_boundary_is_the_most_a_role_can_do(client, role, bucket):
    """What the boundary does not allow, no policy gives."""
    boundary = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    arn = role({"AWS": "*"}, allow("*"), PermissionsBoundary=boundary)
    keys = client("sts").assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
    s3 = client("s3", **of(keys))

    assert code_of(s3.get_object, Bucket=bucket, Key="a") is None
    assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=b"").endswith(
        "because no permissions boundary allows the s3:PutObject action"
    )
    s3.close()


def test_a_session_can_be_narrowed(client, role, bucket):
    """Session policies take away; they never give."""
    arn = role({"AWS": "*"}, allow("s3:*"))
    narrow = document(allow(["s3:ListBucket", "sqs:*"]))
    keys = client("sts").assume_role(RoleArn=arn, RoleSessionName="me", Policy=narrow)["Credentials"]
    s3, sqs = client("s3", **of(keys)), client("sqs", **of(keys))

    assert code_of(s3.list_objects_v2, Bucket=bucket) is None
    assert refusal(s3.get_object, Bucket=bucket, Key="a").endswith(
        "because no session policy allows the s3:GetObject action"
    )
    assert refusal(sqs.list_queues).endswith("because no identity-based policy allows the sqs:listqueues action")
    s3.close()
    sqs.close()


def test_who_may_assume_a_role(client, user, role):
    """The trust policy names somebody; naming the account leaves it to the account's own policies."""
    name, as_user = user()
    ada, sts = f"arn:aws:iam::{ACCOUNT}:user/{name}", as_user("sts")
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    hers, everybodys = role({"AWS": ada}), role(root)
    with_word = role({"AWS": ada}, condition={"StringEquals": {"sts:ExternalId": "open sesame"}})
    nobodys = role({"Service": "lambda.amazonaws.com"})

    answer = sts.assume_role(RoleArn=hers, RoleSessionName="me")
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{hers.rpartition('/')[2]}/me"
    inside = client("sts", **of(answer["Credentials"]))
    identity = inside.get_caller_identity()
    assert (identity["Arn"], identity["UserId"]) == tuple(
        answer["AssumedRoleUser"][k] for k in ("Arn", "AssumedRoleId")
    )
    inside.close()
    for arn in (everybodys, with_word, nobodys, f"{hers}-not-there"):
        assert refusal(sts.assume_role, RoleArn=arn, RoleSessionName="me") == (
            f"User: {ada} is not authorized to perform: sts:AssumeRole on resource: {arn}"
        )
    assert code_of(sts.assume_role, RoleArn=with_word, RoleSessionName="me", ExternalId="open sesame") is None
    may = document(allow("sts:AssumeRole", everybodys))
    client("iam").put_user_policy(UserName=name, PolicyName="own", PolicyDocument=may)
    assert code_of(sts.assume_role, RoleArn=everybodys, RoleSessionName="me") is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"DurationSeconds": 3601}, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."),
        ({"RoleSessionName": "a b"}, "1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy "
                                     r"constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*"),
    ],
)  # fmt: skip
def test_what_a_session_may_be(client, role, arguments, message):
    """A quarter of an hour at least, as long as the role says at most."""
    arn = role({"AWS": "*"})

    assert refusal(client("sts").assume_role, **{"RoleArn": arn, "RoleSessionName": "me"} | arguments) == message


def test_a_session_of_ones_own(client, user):
    """GetSessionToken: short-lived keys of the same user."""
    name, as_user = user(allow("sqs:*"))
    keys = as_user("sts").get_session_token()["Credentials"]
    sts, sqs = client("sts", **of(keys)), client("sqs", **of(keys))

    assert keys["AccessKeyId"].startswith("ASIA")
    assert sts.get_caller_identity()["Arn"].endswith(f":user/{name}")
    assert code_of(sqs.list_queues) is None
    assert refusal(sts.get_session_token) == "Cannot call GetSessionToken with session credentials"
    sts.close()
    sqs.close()


@pytest.mark.parametrize(
    ("policy", "action"),
    [
        ("service-role/AWSLambdaBasicExecutionRole", "logs:PutLogEvents"),
        ("service-role/AWSLambdaSQSQueueExecutionRole", "sqs:ReceiveMessage"),
        ("service-role/AWSLambdaDynamoDBExecutionRole", "dynamodb:GetRecords"),
        ("service-role/AWSLambdaKinesisExecutionRole", "kinesis:GetRecords"),
        ("AmazonS3ReadOnlyAccess", "s3:GetObject"), ("AdministratorAccess", "dynamodb:DeleteTable"),
    ],
)  # fmt: skip
def test_the_policies_of_aws_can_be_attached_and_count(client, role, policy, action):
    """What every tutorial attaches."""
    arn, iam = role({"Service": "lambda.amazonaws.com"}), client("iam")
    policy_arn = f"arn:aws:iam::aws:policy/{policy}"

    iam.attach_role_policy(RoleName=arn.rpartition("/")[2], PolicyArn=policy_arn)

    def decisions():
        names = [action, "iam:CreateUser"]
        found = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=names)["EvaluationResults"]
        return [one["EvalDecision"] for one in found]

    assert decisions() == ["allowed", "allowed" if policy == "AdministratorAccess" else "implicitDeny"]
    attached = iam.list_attached_role_policies(RoleName=arn.rpartition("/")[2])["AttachedPolicies"]
    assert attached == [{"PolicyName": policy.rpartition("/")[2], "PolicyArn": policy_arn}]
    assert iam.get_policy(PolicyArn=policy_arn)["Policy"]["AttachmentCount"] >= 1
    iam.detach_role_policy(RoleName=arn.rpartition("/")[2], PolicyArn=policy_arn)
    assert decisions()[0] == "implicitDeny"


def test_the_policies_of_aws_are_listed_and_stay_as_they_are(client):
    """Nobody but AWS changes them; one that does not exist cannot be attached."""
    iam = client("iam")
    pages = iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig={"PageSize": 1000})
    names = {policy["PolicyName"] for page in pages for policy in page["Policies"]}
    assert {"AdministratorAccess", "AWSLambdaBasicExecutionRole"} <= names
    assert len(names) > 1000

    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    changed = code_of(iam.create_policy_version, PolicyArn=admin, PolicyDocument=document(allow("*")))
    assert changed == "AccessDenied"
    missing = "arn:aws:iam::aws:policy/NotThere"
    assert refusal(iam.attach_user_policy, UserName="x", PolicyArn=missing) == (
        f"Policy {missing} does not exist or is not attachable."
    )


def test_a_policy_of_aws_is_attached_while_others_are_listed(client, role):
    """A listing shows all of them, though few are kept: it must not take away one that is just being attached."""
    name, iam = role({"Service": "lambda.amazonaws.com"}).rpartition("/")[2], client("iam")
    policies = [f"arn:aws:iam::aws:policy/Amazon{one}ReadOnlyAccess" for one in ("S3", "SQS", "SNS", "Kinesis", "EC2")]
    attached = [functools.partial(iam.attach_role_policy, RoleName=name, PolicyArn=arn) for arn in policies]
    listed = functools.partial(iam.list_policies, Scope="AWS", MaxItems=1)

    with ThreadPoolExecutor(8) as threads:
        done = [threads.submit(call) for one in attached for call in (listed, one, listed)]

    assert [call.exception() for call in done] == [None] * len(done)
    for arn in policies:
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)


def test_who_am_i(client, user, role):
    """GetUser without a name is about the caller, who must be a user."""
    name, as_user = user(allow("iam:GetUser"))
    arn = role({"AWS": "*"}, allow("iam:GetUser"))
    keys = client("sts").assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
    inside = client("iam", **of(keys))

    assert as_user("iam").get_user()["User"]["UserName"] == name
    assert client("iam").get_user()["User"]["Arn"] == client("sts").get_caller_identity()["Arn"]
    assert refusal(inside.get_user) == "Must specify userName when calling with non-User credentials"
    inside.close()


def test_a_boundary_of_a_user_is_refused(client, unique):
    """Never silent success: a boundary that nobody asks would be worse than none."""
    boundary = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"

    assert code_of(client("iam").create_user, UserName=unique("u"), PermissionsBoundary=boundary) == "NotImplemented"
