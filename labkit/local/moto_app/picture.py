"""The buckets, tables, streams and APIs that moto keeps, as parts of the live map."""

from __future__ import annotations

from typing import Any

from labkit.local.api_call import ACCOUNT_ID
from labkit.local.moto_app.app import MotoApp, backend, regions_of
from labkit.local.picture import Arrow, Part, Picture


async def picture(moto: MotoApp) -> Picture:
    """Look, in moto's thread."""
    return await moto.run(_picture)


def _picture() -> Picture:
    drawn: Picture = [
        Part(f"arn:aws:s3:::{name}", "S3 bucket", name, {"objects": len(bucket.keys)})
        for name, bucket in backend("s3", "us-east-1").buckets.items()
    ]
    for region in _regions("dynamodb"):
        for name, table in region.tables.items():
            count = sum(len(items) if isinstance(items, dict) else 1 for items in table.items.values())
            drawn.append(Part(table.table_arn, "DynamoDB table", name, {"items": count}))
    for region in _regions("kinesis"):
        drawn += [Part(stream.arn, "Kinesis stream", name) for name, stream in region.streams.items()]
    for region in _regions("apigateway"):
        for api in region.apis.values():
            drawn += _api(api)
    return drawn


def _regions(service: str) -> list[Any]:
    return list(regions_of(service).values())


def _api(api: Any) -> Picture:
    arn = f"arn:aws:execute-api:{api.region_name}:{ACCOUNT_ID}:{api.id}"
    problem = "" if api.stages else "it is not deployed"
    drawn: Picture = [Part(arn, "API Gateway", api.name, {"paths": len(api.resources) - 1}, problem)]
    for resource in api.resources.values():
        for verb, method in resource.resource_methods.items():
            uri = str(getattr(method.method_integration, "uri", None) or "")
            if "/functions/" in uri:
                function = uri.partition("/functions/")[2].removesuffix("/invocations")
                drawn.append(Arrow(arn, function, f"{verb} {resource.get_path()}"))
    return drawn
