"""Usage plans and API keys as their own operations show and refuse them, as LocalStack's tests recorded it on AWS.

``test_apigateway_common`` and ``test_apigateway_extended``, 2023-07 to 2025-09; other sources stand beside the tests.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.test_api_gateway import Api, error_of
from tests.contract.test_api_gateway import api as api  # noqa: PLC0414  a fixture

BAD, MISSING, INVALID = "BadRequestException", "NotFoundException", "ValidationException"
CONFLICT = "ConflictException"


def body(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what every answer has."""
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


class Metered:
    """Usage plans and API keys under test; what is made here is deleted at the end."""

    def __init__(self, api: Api) -> None:
        self.gateway, self.api = api.gateway, api
        self._plans: list[str] = []
        self._keys: list[str] = []

    def plan(self, *stages: str, **given: Any) -> str:
        """Make a plan with stages of the API and return its id."""
        named = [{"apiId": self.api.id, "stage": stage} for stage in stages]
        made = self.gateway.create_usage_plan(name="metered", apiStages=named, **given)
        self._plans.append(made["id"])
        return self._plans[-1]

    def key(self, name: str = "metered", *plans: str) -> str:
        """Make a key, put it on plans and return its id."""
        self._keys.append(self.gateway.create_api_key(name=name, enabled=True)["id"])
        for plan in plans:
            self.put(plan, self._keys[-1])
        return self._keys[-1]

    def put(self, plan: str, key: str, kind: str = "API_KEY") -> dict[str, Any]:
        """Put a key on a plan."""
        return dict(self.gateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType=kind))

    def patch(self, plan: str, op: str, path: str, value: str | None = None) -> dict[str, Any]:
        """Change a plan."""
        patch = {"op": op, "path": path} | ({} if value is None else {"value": value})
        return dict(self.gateway.update_usage_plan(usagePlanId=plan, patchOperations=[patch]))

    def clear(self) -> None:
        """Delete all that was made."""
        for plan in self._plans:
            for stage in self.gateway.get_usage_plan(usagePlanId=plan)["apiStages"]:
                self.patch(plan, "remove", "/apiStages", f"{stage['apiId']}:{stage['stage']}")
            self.gateway.delete_usage_plan(usagePlanId=plan)
        for key in self._keys:
            self.gateway.delete_api_key(apiKey=key)


@pytest.fixture
def metered(api: Api) -> Iterator[Metered]:
    """Plans and keys for an API with a stage, prod."""
    api.preflight(api.root)
    api.deploy()
    metered = Metered(api)
    yield metered
    metered.clear()


def test_a_usage_plan_has_stages_that_exist(metered: Metered):
    """A slip in an id is told at once, not by 403s later (new plans: serverless/serverless#6081, aws/aws-sdk#354)."""
    gateway, api_id = metered.gateway, metered.api.id
    plan = metered.plan("prod")

    def made(**stage: str) -> tuple[str, str, int]:
        return error_of(lambda: gateway.create_usage_plan(name="p", apiStages=[stage]))

    def patched(op: str, value: str | None) -> tuple[str, str, int]:
        return error_of(lambda: metered.patch(plan, op, "/apiStages", value))

    unknown = "Invalid API Stage {{api: {}, stage: {}}} specified for usageplan {}".format
    unnamed = (BAD, "Invalid API Stage {api: %s, stage: %s} specified for usageplan %s", 400)
    assert made(apiId=api_id, stage="nope") == (MISSING, f"API Stage not found: {api_id}:nope", 404)
    assert made(apiId="nope", stage="prod") == (MISSING, "API Stage not found: nope:prod", 404)
    assert [made(apiId=api_id), made(stage="prod"), made(apiId=api_id, stage="")] == [unnamed] * 3
    for op in ("add", "remove"):
        assert patched(op, "nope:prod") == (MISSING, unknown("nope", "prod", plan), 404)
        assert patched(op, f"{api_id}:nope") == (MISSING, unknown(api_id, "nope", plan), 404)
        assert [patched(op, None), patched(op, "nope")] == [(BAD, "Invalid API Stage specified", 400)] * 2
    assert patched("replace", f"{api_id}:prod") == (
        BAD,
        "Invalid patch path  '/apiStages' specified for op 'replace'.",
        400,
    )
    assert gateway.get_usage_plan(usagePlanId=plan)["apiStages"] == [{"apiId": api_id, "stage": "prod"}]


@pytest.mark.parametrize(
    ("path", "value"),
    [("/quota/limit", "-1"), ("/quota/period", "YEAR"), ("/throttle/rateLimit", "nan"), ("/throttle/burstLimit", "x")],
)
def test_a_usage_plan_is_not_changed_to_limits_that_nobody_could_keep(metered: Metered, path: str, value: str):
    """What cannot be made cannot be come by with a patch (no recording: the sentence is ours)."""
    plan = metered.plan()

    assert error_of(lambda: metered.patch(plan, "replace", path, value)) == (
        BAD, f"Invalid value {value!r} for {path}", 400,
    )  # fmt: skip


def test_a_usage_plan_that_cannot_be_changed_stays_as_it_is(metered: Metered):
    """Also where the first of two operations could be done (what can be removed: boto/boto3#2629)."""
    plan = metered.plan("prod", quota={"limit": 10, "period": "DAY"})
    shown = metered.gateway.get_usage_plan(usagePlanId=plan)["quota"]

    def refused(op: str, path: str) -> str:
        patch = [
            {"op": "replace", "path": "/name", "value": "changed"},
            {"op": "replace", "path": "/quota/limit", "value": "11"},
            {"op": op, "path": path, "value": "1"},
        ]
        update = metered.gateway.update_usage_plan
        code, message, _ = error_of(lambda: update(usagePlanId=plan, patchOperations=patch))
        assert code == BAD
        return message

    assert refused("replace", "/quota/nope") == "Invalid patch path  '/quota/nope' specified for op 'replace'."
    assert refused("remove", "/apiStages/a:b") == (
        "Invalid patch path  '/apiStages/a:b' specified for op 'remove'. Must be one of: [/apiStages, /quota, "
        "/throttle, /productCode, /apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>, "
        "/apiStages/<apidId:stageName>/throttle]"
    )
    after = metered.gateway.get_usage_plan(usagePlanId=plan)
    assert (after["name"], after["quota"]) == ("metered", shown)


def test_a_stage_that_is_deleted_is_on_no_usage_plan(metered: Metered):
    """No recording tells whether AWS takes it off or refuses to delete it; the local cloud takes it off."""
    gateway = metered.gateway
    plan = metered.plan("prod")

    gateway.delete_stage(restApiId=metered.api.id, stageName="prod")

    assert gateway.get_usage_plan(usagePlanId=plan)["apiStages"] == []


def test_the_limits_of_a_method_come_off_a_usage_plan(metered: Metered):
    """One method's by its path, all of a stage's by the stage's."""
    plan, stage = metered.plan("prod"), f"/apiStages/{metered.api.id}:prod/throttle"

    def throttle(op: str, path: str, value: str | None = None) -> Any:
        return metered.patch(plan, op, stage + path, value)["apiStages"][0].get("throttle")

    throttle("replace", "/~1a/GET/rateLimit", "2")
    both = throttle("replace", "/~1b/GET/burstLimit", "3")

    assert both == {"/a/GET": {"rateLimit": 2.0, "burstLimit": 0}, "/b/GET": {"rateLimit": 0.0, "burstLimit": 3}}
    metered.patch(plan, "add", "/apiStages", f"{metered.api.id}:prod")
    assert throttle("remove", "/~1a/GET") == {"/b/GET": {"rateLimit": 0.0, "burstLimit": 3}}
    assert throttle("remove", "") is None


def test_a_usage_plan_shows_its_quota_from_the_first_request_on(metered: Metered):
    """The offset is 0 unless somebody said otherwise; by itself a plan shows its tags, also where it has none."""
    plan = metered.plan("prod", quota={"limit": 10, "period": "DAY"}, throttle={"rateLimit": 2.0, "burstLimit": 1})
    shown = {
        "id": plan, "name": "metered", "apiStages": [{"apiId": metered.api.id, "stage": "prod"}],
        "quota": {"limit": 10, "offset": 0, "period": "DAY"}, "throttle": {"rateLimit": 2.0, "burstLimit": 1},
    }  # fmt: skip

    assert body(metered.gateway.get_usage_plan(usagePlanId=plan)) == {**shown, "tags": {}}
    assert shown in metered.gateway.get_usage_plans(limit=500)["items"]
    assert body(metered.patch(plan, "replace", "/name", "other")) == {**shown, "name": "other", "tags": {}}


def test_a_key_is_on_a_usage_plan_once(metered: Metered):
    """A second time is a conflict (the code: API_CreateUsagePlanKey; no recording: the sentences are ours)."""
    plan, key = metered.plan(), metered.key("k")

    made = body(metered.put(plan, key))

    assert (made["id"], made["name"], made["type"]) == (key, "k", "API_KEY")
    assert error_of(lambda: metered.put(plan, key)) == (
        CONFLICT, "Usage Plan Key already exists for this Usage Plan", 409,
    )  # fmt: skip
    assert error_of(lambda: metered.put(plan, metered.key(), "IAM_USER")) == (
        BAD, "Invalid Usage Plan Key type specified. Must be one of: [API_KEY]", 400,
    )  # fmt: skip
    assert error_of(lambda: metered.put("nope", key)) == (MISSING, "Invalid Usage Plan ID specified", 404)
    assert error_of(lambda: metered.put(plan, "nope")) == (MISSING, "Invalid API Key identifier specified", 404)


def test_a_key_has_a_stage_by_one_usage_plan(metered: Metered):
    """Else nobody could say whose limits count (the rule: api-gateway-api-usage-plans; the sentence is ours)."""
    stage = f"{metered.api.id}:prod"
    plan, other, third = metered.plan("prod"), metered.plan("prod"), metered.plan()
    key = metered.key("k", plan, third)
    told = (CONFLICT, f"API Key {key} is in Usage Plan {plan} already, which has the API Stage {stage}", 409)

    assert error_of(lambda: metered.put(other, key)) == told
    assert error_of(lambda: metered.patch(third, "add", "/apiStages", stage)) == told
    metered.key("another", other)


def test_the_keys_of_a_usage_plan(metered: Metered):
    """Newest first, by the beginning of their names; a plan that is not there has none."""
    plan = metered.plan()
    first, second = metered.key("test-1", plan), metered.key("test-2", plan)

    def keys(usage_plan: str, **query: str) -> list[str]:
        listed = metered.gateway.get_usage_plan_keys(usagePlanId=usage_plan, **query)["items"]
        return [one["id"] for one in listed]

    assert keys(plan) == [second, first]
    assert [keys(plan, nameQuery=query) for query in ("test-1", "TEST", "est-1")] == [[first], [], []]
    assert keys("nope") == []
    gone = metered.gateway.create_usage_plan(name="gone")["id"]
    metered.put(gone, first)
    metered.gateway.delete_usage_plan(usagePlanId=gone)
    assert keys(gone) == []


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("2026-01-32", "2026-02-01", "Invalid startDate '2026-01-32': a day is written like 2026-01-31"),
        ("2026-01-01", "20260131", "Invalid endDate '20260131': a day is written like 2026-01-31"),
        (
            "2026-01-02", "2026-01-01",
            "Invalid date range 2026-01-02 to 2026-01-01: it begins before it ends and is at most 90 days long",
        ),
        (
            "0001-01-01", "9999-12-31",
            "Invalid date range 0001-01-01 to 9999-12-31: it begins before it ends and is at most 90 days long",
        ),
    ],
)  # fmt: skip
def test_usage_is_told_of_ninety_days_at_most(metered: Metered, start: str, end: str, told: str):
    """The limit: AWS's knowledge center, api-gateway-usage-key; no recording: the sentences are ours."""
    plan = metered.plan()

    assert error_of(lambda: metered.gateway.get_usage(usagePlanId=plan, startDate=start, endDate=end)) == (
        BAD, told, 400,
    )  # fmt: skip
    assert metered.gateway.get_usage(usagePlanId=plan, startDate="2026-01-01", endDate="2026-04-01")["items"] == {}


def test_usage_comes_in_pages_of_keys(metered: Metered):
    """A plan may have more keys than fit on a page."""
    plan = metered.plan(quota={"limit": 5, "period": "DAY"})
    keys = {metered.key(str(number), plan) for number in range(3)}
    today = time.strftime("%Y-%m-%d", time.gmtime())
    asked = {"usagePlanId": plan, "startDate": today, "endDate": today}
    first = metered.gateway.get_usage(**asked, limit=2)
    second = metered.gateway.get_usage(**asked, limit=2, position=first["position"])

    assert [len(first["items"]), len(second["items"]), "position" in second] == [2, 1, False]
    assert {**first["items"], **second["items"]} == {key: [[0, 5]] for key in keys}


@pytest.mark.parametrize(
    ("given", "code", "part"),
    [
        ({"quota": {"limit": 5, "period": "YEAR"}}, INVALID, "enum value set: [DAY, WEEK, MONTH]"),
        ({"quota": {"period": "DAY"}}, BAD, "/quota/limit"),
        ({"quota": {"limit": -1, "period": "DAY"}}, BAD, "/quota/limit"),
        ({"throttle": {"rateLimit": -1.0}}, BAD, "/throttle/rateLimit"),
    ],
)
def test_limits_that_no_usage_plan_can_have(api: Api, given: dict[str, Any], code: str, part: str):
    """They would fail when a request comes, and not where they were written."""
    refused, message, _ = error_of(lambda: api.gateway.create_usage_plan(name="p", **given))

    assert (refused, part in message) == (code, True)
