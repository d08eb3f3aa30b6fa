"""Connect this kernel to a cloud: afterwards bare ``boto3.client("sqs")`` is all a cell needs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labkit import local_process
from labkit.exceptions import LabkitError

CLOUDS = ("local", "endpoint", "aws")
SERVICES = (
    "s3",
    "sqs",
    "dynamodb",
    "dynamodbstreams",
    "lambda",
    "apigateway",
    "iam",
    "sts",
    "sns",
    "events",
    "cloudtrail",
    "logs",
)
LAB_ID = re.compile(r"[a-z][a-z0-9-]{0,18}[a-z0-9]")
DEFAULTS = {"cloud": "local", "lab_id": "lab", "region": "us-east-1"}


def connect(
    cloud: str | None = None, *, lab_id: str | None = None, region: str | None = None, tour: str = ""
) -> dict[str, str]:
    """Point boto3 in this kernel at a cloud, and at no other.

    Args:
        cloud: ``"local"`` (started if it does not run), ``"endpoint"`` (any AWS-compatible ``AWS_ENDPOINT_URL``) or
            ``"aws"``. ``None`` takes ``LABKIT_CLOUD``, else ``.labkit/settings.json``, else ``"local"``.
        lab_id: The name that keeps labs in one account apart; lower-case letters, digits, hyphens, up to 20.
        region: The AWS region.
        tour: Added to the lab id, for a notebook that builds a copy of its own: ``"tour"`` makes ``lab-tour``.

    Returns:
        ``{"cloud", "lab_id", "region", "account", "endpoint"}``; ``endpoint`` is ``""`` on AWS.

    Raises:
        LabkitError: A value is not valid, the local cloud does not start, or a call could leave for another cloud.
    """
    chosen = _choose(cloud, lab_id, region)
    if tour:
        chosen["lab_id"] = f"{chosen['lab_id']}-{tour}"
    _check(chosen)
    endpoint = {"local": _use_local, "endpoint": _use_endpoint, "aws": _use_aws}[chosen["cloud"]](chosen)
    os.environ |= {
        "LABKIT_CLOUD": chosen["cloud"],
        "LABKIT_LAB_ID": chosen["lab_id"],
        "LABKIT_REGION": chosen["region"],
    }
    os.environ |= {"AWS_DEFAULT_REGION": chosen["region"], "AWS_REGION": chosen["region"]}
    account = _check_connection(endpoint)
    os.environ["LABKIT_ACCOUNT"] = account
    print(
        f"Connected to {_description(chosen['cloud'], endpoint)}, account {account}, region {chosen['region']}, "
        f"lab {chosen['lab_id']}."
    )
    return {**chosen, "account": account, "endpoint": endpoint}


def settings() -> dict[str, str]:
    """Return what this kernel is connected to: ``{"cloud", "lab_id", "region", "account"}``.

    Raises:
        LabkitError: It is not connected yet.
    """
    names = {"cloud": "LABKIT_CLOUD", "lab_id": "LABKIT_LAB_ID", "region": "LABKIT_REGION", "account": "LABKIT_ACCOUNT"}
    if "LABKIT_ACCOUNT" not in os.environ:
        raise LabkitError("this kernel is not connected to a cloud; run first: labkit.connect()")
    return {key: os.environ[variable] for key, variable in names.items()}


def local_cloud() -> dict[str, Any]:
    """Return what ``local.json`` says of the running local cloud.

    Raises:
        LabkitError: None runs.
    """
    described = local_process.find()
    if described is None:
        raise LabkitError("no local cloud runs; start it with: labkit up")
    return described


def _choose(cloud: str | None, lab_id: str | None, region: str | None) -> dict[str, str]:
    given = {"cloud": cloud, "lab_id": lab_id, "region": region}
    kept = _kept_settings()
    # A kernel that is connected already sets LABKIT_ACCOUNT; its own LABKIT_LAB_ID is no wish of the user then.
    connected = "LABKIT_ACCOUNT" in os.environ
    return {
        key: value
        or ("" if connected and key == "lab_id" else os.environ.get(f"LABKIT_{key.upper()}"))
        or kept.get(key)
        or DEFAULTS[key]
        for key, value in given.items()
    }


def _kept_settings() -> dict[str, str]:
    path = Path(local_process.state_dir()) / "settings.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise LabkitError(f"{path} cannot be read ({error}); mend or delete it") from None


def _check(chosen: dict[str, str]) -> None:
    if chosen["cloud"] not in CLOUDS:
        raise LabkitError(f"CLOUD is {chosen['cloud']!r}; choose one of: {', '.join(CLOUDS)}")
    if not LAB_ID.fullmatch(chosen["lab_id"]):
        raise LabkitError(
            f"LAB_ID is {chosen['lab_id']!r}; use 2 to 20 lower-case letters, digits and hyphens, a letter first"
        )
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", chosen["region"]):
        raise LabkitError(f"REGION is {chosen['region']!r}; a region looks like us-east-1")
    if chosen["cloud"] == "aws" and chosen["lab_id"].split("-")[0] == "lab":
        raise LabkitError(
            "on real AWS choose a LAB_ID of your own (not lab), so that nobody else's resources are touched"
        )


def _use_local(_: dict[str, str]) -> str:
    described = local_process.start()
    _isolate(described["endpoint"], described["access_key"], described["secret_key"])
    return str(described["endpoint"])


def _use_endpoint(_: dict[str, str]) -> str:
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    if not endpoint.startswith(("http://", "https://")):
        raise LabkitError("CLOUD is endpoint, so AWS_ENDPOINT_URL must hold the address of an AWS-compatible cloud")
    _isolate(endpoint, os.environ.get("AWS_ACCESS_KEY_ID", "test"), os.environ.get("AWS_SECRET_ACCESS_KEY", "test"))
    return endpoint


def _use_aws(_: dict[str, str]) -> str:
    overrides = sorted(name for name in os.environ if name.startswith("AWS_ENDPOINT_URL"))
    if overrides:
        raise LabkitError(
            f"CLOUD is aws, but {', '.join(overrides)} is set, so calls would not reach AWS; "
            "restart the kernel, or unset it, and connect again"
        )
    return ""


def _isolate(endpoint: str, access_key: str, secret_key: str) -> None:
    """Leave no profile, configuration file, service endpoint or proxy by which a call could reach AWS."""
    for name in list(os.environ):
        if name.startswith("AWS_ENDPOINT_URL_") or name in (
            "AWS_PROFILE",
            "AWS_DEFAULT_PROFILE",
            "AWS_SESSION_TOKEN",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "AWS_ROLE_ARN",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_USE_FIPS_ENDPOINT",
            "AWS_USE_DUALSTACK_ENDPOINT",
        ):
            del os.environ[name]
    host = endpoint.split("//")[1].split("/", maxsplit=1)[0].rsplit(":", 1)[0]
    skipped = [part for part in os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")).split(",") if part]
    no_proxy = ",".join(dict.fromkeys([*skipped, "127.0.0.1", "localhost", host]))
    os.environ |= {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


def _check_connection(endpoint: str) -> str:
    import boto3

    boto3.DEFAULT_SESSION = None
    make: Callable[..., Any] = boto3.client  # its stubs know no service by variable
    if endpoint:
        for service in SERVICES:
            resolved = make(service).meta.endpoint_url
            if resolved.rstrip("/") != endpoint.rstrip("/"):
                raise LabkitError(
                    f"calls to {service} would go to {resolved} instead of {endpoint}; "
                    "restart the kernel and connect again"
                )
    return str(boto3.client("sts").get_caller_identity()["Account"])


def _description(cloud: str, endpoint: str) -> str:
    return {"local": f"the local cloud on {endpoint}", "endpoint": endpoint, "aws": "real AWS (this costs money)"}[
        cloud
    ]
