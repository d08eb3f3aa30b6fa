"""What a trail may be called, and what a trail of the local cloud cannot have.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html
"""

from __future__ import annotations

import re
from typing import Any

from labkit.local.api_call import AwsError

NOT_HERE = {
    "EnableLogFileValidation": "only AWS can sign digest files",
    "SnsTopicName": "no notification would be sent",
    "CloudWatchLogsLogGroupArn": "nothing would be written there",
    "KmsKeyId": "nothing is encrypted",
    "IsOrganizationTrail": "the account is in no organization",
}


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a trail.

    Raises:
        AwsError: ``InvalidTrailNameException``.
    """
    allowed = "uppercase letters, lowercase letters, numbers, periods (.), hyphens (-), and underscores (_)."
    length = f"length: {{}} characters. Specified name length: {len(name)} characters."
    wrong = (
        f"Trail name too short. Minimum allowed {length.format(3)}" if len(name) < 3
        else f"Trail name too long. Maximum allowed {length.format(128)}" if len(name) > 128
        else f"Trail name or ARN can only contain {allowed}" if not re.fullmatch(r"[A-Za-z0-9._-]+", name)
        else "Trail name must starts with a letter or number." if not name[0].isalnum()
        else "Trail name must ends with a letter or number." if not name[-1].isalnum()
        else ""
    )  # fmt: skip
    if wrong:
        raise AwsError("InvalidTrailNameException", wrong)


def refuse_what_is_not_here(params: dict[str, Any]) -> None:
    """Refuse what would be kept and never done.

    Raises:
        AwsError: ``UnsupportedOperationException``.
    """
    for name, why in NOT_HERE.items():
        if params.get(name):
            raise AwsError("UnsupportedOperationException", f"The local cloud does not support {name}: {why}.")
