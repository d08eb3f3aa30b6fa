"""What IAM refuses of an identity policy, beyond what moto looks at.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import json

from labkit.local.api_call import ApiCall, AwsError, Forward, HttpResponse, Interceptor


async def keep_identity_policy(call: ApiCall, forward: Forward) -> HttpResponse:
    """Keep the policy of a role, user or group; it names nobody, since whoever has it is meant.

    Raises:
        AwsError: ``MalformedPolicyDocument``.
    """
    if _names_somebody(str(call.params.get("PolicyDocument") or "")):
        raise AwsError("MalformedPolicyDocument", "Policy document should not specify a principal.", 400)
    return await forward(call)


OPERATIONS = ("PutRolePolicy", "PutUserPolicy", "PutGroupPolicy", "CreatePolicy", "CreatePolicyVersion")
INTERCEPTORS: dict[tuple[str, str], Interceptor] = {("iam", name): keep_identity_policy for name in OPERATIONS}


def _names_somebody(document: str) -> bool:
    try:
        statements = json.loads(document)["Statement"]
    except (ValueError, KeyError, TypeError):
        return False  # moto says what is wrong with it
    listed = statements if isinstance(statements, list) else [statements]
    return any(isinstance(one, dict) and {"Principal", "NotPrincipal"} & set(one) for one in listed)
