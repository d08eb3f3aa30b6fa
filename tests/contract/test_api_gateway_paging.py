"""The lists of API Gateway, page by page, as boto3's paginators read them.

As LocalStack's ``test_apigateway_extended`` recorded it on AWS (2024-10 to 2025-09) for API keys, and as the service
model says of all (``limit``). What AWS answers to a position that is none is recorded nowhere: the sentence is ours.
"""

from __future__ import annotations

import pytest

from tests.contract.test_api_gateway import Api, error_of
from tests.contract.test_api_gateway import api as api  # noqa: PLC0414  a fixture
from tests.contract.test_api_gateway_usage_plans import Metered
from tests.contract.test_api_gateway_usage_plans import metered as metered  # noqa: PLC0414  a fixture


def make(api: Api, what: str, number: int) -> None:
    """Make one more of what an API has many of."""
    gateway, where = api.gateway, {"restApiId": api.id}
    authorizer = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/f/invocations"
    {
        "authorizers": lambda: gateway.create_authorizer(
            **where, name=f"a{number}", type="TOKEN", authorizerUri=authorizer,
            identitySource="method.request.header.Authorization",
        ),
        "deployments": lambda: gateway.create_deployment(**where),
        "models": lambda: gateway.create_model(**where, name=f"m{number}", contentType="a/b", schema="{}"),
        "request_validators": lambda: gateway.create_request_validator(**where, name=f"v{number}"),
        "resources": lambda: api.resource(f"r{number}"),
    }[what]()  # fmt: skip


@pytest.mark.parametrize("what", ["authorizers", "deployments", "models", "request_validators", "resources"])
def test_lists_come_in_pages(api: Api, what: str):
    """25 on a page where nobody asks for another number; boto3's paginators find the rest."""
    api.preflight(api.root)
    before = len(getattr(api.gateway, f"get_{what}")(restApiId=api.id)["items"])
    for number in range(26 - before):
        make(api, what, number)
    get = getattr(api.gateway, f"get_{what}")

    pages = [page["items"] for page in api.gateway.get_paginator(f"get_{what}").paginate(restApiId=api.id)]

    assert [len(page) for page in pages] == [25, 1]
    assert get(restApiId=api.id, limit=500)["items"] == [*pages[0], *pages[1]]
    assert len(get(restApiId=api.id, limit=10)["items"]) == 10
    assert error_of(lambda: get(restApiId=api.id, position="nope")) == (
        "BadRequestException",
        "Invalid position specified",
        400,
    )


@pytest.mark.parametrize("what", ["api_keys", "rest_apis", "usage_plans"])
def test_what_an_account_has_comes_in_pages(metered: Metered, what: str):
    """A page goes on behind what was shown before, also where that is gone by now."""
    gateway = metered.gateway
    make, delete = {
        "api_keys": (gateway.create_api_key, lambda id_: gateway.delete_api_key(apiKey=id_)),
        "rest_apis": (gateway.create_rest_api, lambda id_: gateway.delete_rest_api(restApiId=id_)),
        "usage_plans": (gateway.create_usage_plan, lambda id_: gateway.delete_usage_plan(usagePlanId=id_)),
    }[what]
    made = {make(name="paged")["id"] for _ in range(3)}
    seen = set()

    for page in gateway.get_paginator(f"get_{what}").paginate(PaginationConfig={"PageSize": 1}):
        assert len(page["items"]) == 1
        for one in page["items"]:
            seen.add(one["id"])
            if one["id"] in made:
                delete(one["id"])

    assert made <= seen
    assert not made & {one["id"] for one in getattr(gateway, f"get_{what}")(limit=500)["items"]}


def test_a_limit_below_one_counts_as_none(metered: Metered):
    """AWS takes -1 in silence; the newest key comes first."""
    older, newer = metered.key("older"), metered.key("newer")

    listed = [one["id"] for one in metered.gateway.get_api_keys(limit=-1)["items"]]

    assert listed.index(newer) < listed.index(older)
