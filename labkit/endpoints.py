"""The only two addresses that differ between clouds."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from labkit.cloud import local_cloud, settings

DASH_REGIONS = {
    "us-east-1", "us-west-1", "us-west-2", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "eu-west-1",
    "sa-east-1",
}  # fmt: skip


def invoke_url(api_id: str, stage: str, *, kernel: bool = False) -> str:
    """Return the address of a deployed REST API's stage, without a slash at the end.

    Args:
        api_id: What ``create_rest_api`` returned as ``id``.
        stage: The stage's name.
        kernel: Whether it is this kernel that calls; behind a proxy (``LABKIT_PUBLIC_URL``) the browser has another
            address than the kernel.

    See Also:
        https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-call-api.html
    """
    chosen = settings()
    if chosen["cloud"] == "aws":
        return f"https://{api_id}.execute-api.{chosen['region']}.amazonaws.com/{stage}"
    return f"{_base('127.0.0.1', kernel)}/_aws/execute-api/{api_id}/{stage}"


def website_url(bucket: str, *, kernel: bool = False) -> str:
    """Return the address of a bucket's static website, with a slash at the end.

    Locally it has another host name than the API, so that a browser sees two origins, as on AWS.

    Args:
        bucket: The bucket's name.
        kernel: Whether it is this kernel that opens it; behind a proxy (``LABKIT_PUBLIC_URL``) the browser has another
            address than the kernel.

    See Also:
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteEndpoints.html
    """
    chosen = settings()
    if chosen["cloud"] == "aws":
        separator = "-" if chosen["region"] in DASH_REGIONS else "."
        return f"http://{bucket}.s3-website{separator}{chosen['region']}.amazonaws.com/"
    return f"{_base('localhost', kernel)}/_aws/s3-website/{bucket}/"


def _base(host: str, kernel: bool) -> str:
    if not kernel and (public := _public_url()):
        return public
    endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    return (
        f"{endpoint.scheme}://{host}:{endpoint.port}"
        if endpoint.hostname == "127.0.0.1"
        else endpoint.geturl().rstrip("/")
    )


def _public_url() -> str:
    """Return what a browser has instead of the endpoint: what the environment says, else what the local cloud says."""
    endpoint = os.environ["AWS_ENDPOINT_URL"].rstrip("/")
    chosen = os.environ.get("LABKIT_PUBLIC_URL", "")
    if not chosen and settings()["cloud"] == "local":
        chosen = str(local_cloud().get("public_url", ""))
    chosen = chosen.replace("{port}", str(urlsplit(endpoint).port or "")).rstrip("/")
    return "" if chosen == endpoint else chosen
