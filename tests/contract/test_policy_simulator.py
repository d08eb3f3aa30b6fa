"""IAM's policy simulator answers as the cloud itself would decide."""

from __future__ import annotations

import json

import pytest

OWN = "arn:aws:sqs:us-east-1:123456789012:Own"
OTHER = "arn:aws:sqs:us-east-1:123456789012:Other"


def policy(*statements: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def decisions(answer: dict[str, list[dict[str, str]]]) -> dict[tuple[str, str], str]:
    return {
        (one["EvalActionName"], one["EvalResourceName"]): one["EvalDecision"] for one in answer["EvaluationResults"]
    }


def test_a_policy_is_judged_without_a_role_and_without_the_resource(client):
    """Every action with every resource; an explicit deny is told from a missing allow."""
    answer = client("iam").simulate_custom_policy(
        PolicyInputList=[
            policy(
                {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": OWN},
                {"Effect": "Deny", "Action": "sqs:DeleteQueue", "Resource": "*"},
            )
        ],
        ActionNames=["sqs:SendMessage", "sqs:DeleteQueue"],
        ResourceArns=[OWN, OTHER],
        ContextEntries=[{"ContextKeyValues": ["a key without a name"]}],
    )

    assert decisions(answer) == {
        ("sqs:SendMessage", OWN): "allowed",
        ("sqs:SendMessage", OTHER): "implicitDeny",
        ("sqs:DeleteQueue", OWN): "explicitDeny",
        ("sqs:DeleteQueue", OTHER): "explicitDeny",
    }
    assert answer["IsTruncated"] is False


def test_a_roles_own_policies_are_judged(client, unique):
    """SimulatePrincipalPolicy reads what the role may do now."""
    iam, name = client("iam"), unique("Simulated")
    wear = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(wear))["Role"]["Arn"]
    allow = policy({"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": OWN})
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=allow)

    answer = iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=["sqs:SendMessage"], ResourceArns=[OWN, OTHER]
    )

    assert list(decisions(answer).values()) == ["allowed", "implicitDeny"]


def test_what_cannot_be_judged_is_an_error(client):
    """A policy that is not JSON, and a role that is not there."""
    iam = client("iam")

    with pytest.raises(iam.exceptions.InvalidInputException, match="not JSON"):
        iam.simulate_custom_policy(PolicyInputList=["{"], ActionNames=["sqs:SendMessage"])
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.simulate_principal_policy(
            PolicySourceArn="arn:aws:iam::123456789012:role/Nobody", ActionNames=["sqs:SendMessage"]
        )
