"""Connect this kernel to a cloud: afterwards bare ``boto3.client("sqs")`` is all a cell needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labkit import local_process, progress_file
from labkit.course import notebooks_folder
from labkit.exceptions import LabkitError
from labkit.lines import wrapped
from labkit.settings import resolve_settings

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
_connected: dict[str, str] = {}
_checked: set[tuple[str, ...]] = set()


def connect(
    cloud: str | None = None,
    *,
    lab_id: str | None = None,
    region: str | None = None,
    email: str | None = None,
    size: str | None = None,
    tour: str = "",
) -> dict[str, Any]:
    """Point boto3 in this kernel at a cloud, and at no other.

    What is ``None`` is taken from the environment (``LABKIT_CLOUD``, ``LABKIT_LAB_ID`` …), else as chosen in notebook
    00 (:func:`labkit.choose_settings`), else the default.

    Args:
        cloud: ``"local"`` (started if it does not run), ``"endpoint"`` (any AWS-compatible ``AWS_ENDPOINT_URL``) or
            ``"aws"``.
        lab_id: The name that keeps labs in one account apart; lower-case letters, digits, hyphens, up to 20.
        region: The AWS region.
        email: Where alerts go.
        size: ``"small"`` or ``"normal"``.
        tour: Added to the lab id, for a notebook that builds a copy of its own: ``"tour"`` makes ``lab-tour``.

    Returns:
        ``{"cloud", "lab_id", "region", "account", "endpoint", "email", "size", "tags"}``; ``endpoint`` is ``""`` on
        AWS, ``tags`` a dict for everything that can carry tags.

    Raises:
        LabkitError: A value is not valid, the local cloud does not start, a call could leave for another cloud, or
            AWS knows nobody.
    """
    _enter_notebooks_folder()
    given = {"cloud": cloud, "lab_id": lab_id, "region": region, "email": email, "size": size}
    chosen = resolve_settings(given)
    if tour:
        chosen["lab_id"] = f"{chosen['lab_id']}-{tour}"
    endpoint = {"local": _use_local, "endpoint": _use_endpoint, "aws": _use_aws}[chosen["cloud"]]()
    os.environ |= {"AWS_DEFAULT_REGION": chosen["region"], "AWS_REGION": chosen["region"]}
    account = _check_connection(endpoint)
    _connected.clear()
    _connected.update(chosen, account=account, endpoint=endpoint)
    where = f"{_description(chosen['cloud'], endpoint)}, account {account}, region {chosen['region']}"
    print(wrapped(f"Connected to {where}, lab {chosen['lab_id']}."))
    _show_texts_whole()
    return {**_connected, "tags": tags()}


def _show_texts_whole() -> None:
    """Let tables break long texts, such as ARNs, into lines; pandas would cut them after 50 characters."""
    import pandas as pd

    pd.set_option("display.max_colwidth", None)


def is_connected() -> bool:
    """Whether this kernel is connected to a cloud."""
    return bool(_connected)


def _enter_notebooks_folder() -> None:
    """Let a kernel that papermill started elsewhere find ``../lambdas`` and ``../site``, as JupyterLab's kernels do."""
    if "ipykernel.kernelapp" in sys.modules and not Path("../lambdas").is_dir():
        os.chdir(notebooks_folder())


def settings() -> dict[str, str]:
    """Return what this kernel is connected to: ``cloud, lab_id, region, account, endpoint, email, size``.

    Raises:
        LabkitError: It is not connected yet.
    """
    if not _connected:
        raise LabkitError(
            "this kernel is not connected to a cloud; run first: labkit.connect(); "
            "see docs/troubleshooting.md#not-connected"
        )
    return dict(_connected)


def tags() -> dict[str, str]:
    """Return the tags that every taggable resource of this lab carries: whose it is, and since when."""
    chosen = settings()
    since = progress_file.created_at(f"{chosen['cloud']}/{chosen['lab_id']}")
    return {"labkit:lab-id": chosen["lab_id"], "labkit:created-at": since}


def time_scale() -> float:
    """Return by how much the local cloud shortens the waits that AWS fixes; 1.0 on AWS.

    Multiply a measured wait by it to fill the column *on AWS*.
    """
    if settings()["cloud"] != "local":
        return 1.0
    return float(local_cloud().get("time_scale", 1.0))


def local_cloud() -> dict[str, Any]:
    """Return what ``local.json`` says of the running local cloud.

    Raises:
        LabkitError: None runs.
    """
    described = local_process.find()
    if described is None:
        raise LabkitError("no local cloud runs; start it with: labkit up; see docs/troubleshooting.md#no-local-cloud")
    return described


def _use_local() -> str:
    described = local_process.start()
    _isolate(described["endpoint"], described["access_key"], described["secret_key"])
    return str(described["endpoint"])


def _use_endpoint() -> str:
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    if not endpoint.startswith(("http://", "https://")):
        raise LabkitError("CLOUD is endpoint, so AWS_ENDPOINT_URL must hold the address of an AWS-compatible cloud")
    _isolate(endpoint, os.environ.get("AWS_ACCESS_KEY_ID", "test"), os.environ.get("AWS_SECRET_ACCESS_KEY", "test"))
    return endpoint


def _use_aws() -> str:
    overrides = sorted(name for name in os.environ if name.startswith("AWS_ENDPOINT_URL"))
    if overrides:
        raise LabkitError(
            f"CLOUD is aws, but {', '.join(overrides)} is set, so calls would not reach AWS; "
            "restart the kernel, or unset it, and connect again; see docs/troubleshooting.md#endpoint-url-set"
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
    from botocore.exceptions import BotoCoreError

    make: Callable[..., Any] = boto3.client  # its stubs know no service by variable
    variables = tuple(f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("AWS_"))
    if variables not in _checked:
        boto3.DEFAULT_SESSION = None
    if endpoint and variables not in _checked:
        for service in SERVICES:
            resolved = make(service).meta.endpoint_url
            if resolved.rstrip("/") != endpoint.rstrip("/"):
                raise LabkitError(
                    f"calls to {service} would go to {resolved} instead of {endpoint}; "
                    "restart the kernel and connect again; see docs/troubleshooting.md#calls-would-go"
                )
    _checked.clear()
    _checked.add(variables)
    try:
        return str(boto3.client("sts").get_caller_identity()["Account"])
    except BotoCoreError as error:
        if endpoint:
            raise
        raise LabkitError(
            f"AWS cannot be asked who you are: {error}; log in by aws sso login or aws configure, and set AWS_PROFILE "
            "if you have several profiles; see docs/troubleshooting.md#no-credentials"
        ) from error


def _description(cloud: str, endpoint: str) -> str:
    return {"local": f"the local cloud on {endpoint}", "endpoint": endpoint, "aws": "real AWS (this costs money)"}[
        cloud
    ]
