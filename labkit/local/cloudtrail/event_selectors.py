"""Event selectors: which of all calls a trail logs.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutEventSelectors.html
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

from labkit.local.api_call import AwsError

Selectors = dict[str, list[dict[str, Any]]]  # {"EventSelectors": …} or {"AdvancedEventSelectors": …}

MOST_SELECTORS, MOST_RESOURCES, MOST_VALUES = 5, 250, 500
READ_WRITE_TYPES = ("ReadOnly", "WriteOnly", "All")
EXCLUDABLE = ("kms.amazonaws.com", "rdsdata.amazonaws.com")
DATA_TYPES = {"AWS::S3::Object": "s3", "AWS::Lambda::Function": "lambda"}
OF_EVERY_EVENT = {"eventCategory", "readOnly", "eventSource", "eventName", "eventType", "userIdentity.arn"}
FIELDS = {"Management": OF_EVERY_EVENT, "Data": OF_EVERY_EVENT | {"resources.type", "resources.ARN"}}
OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "Equals": operator.eq,
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
    "NotEquals": operator.eq,
    "NotStartsWith": str.startswith,
    "NotEndsWith": str.endswith,
}


def default_selectors() -> Selectors:
    """Return what a trail begins with: all management events, no data events."""
    return {"EventSelectors": [_filled({})]}


def checked_selectors(params: dict[str, Any]) -> Selectors:
    """Return the selectors of a call of PutEventSelectors, with AWS's defaults.

    Raises:
        AwsError: ``InvalidEventSelectorsException``.
    """
    basic, advanced = params.get("EventSelectors"), params.get("AdvancedEventSelectors")
    if bool(basic) == bool(advanced):
        raise _invalid("give either EventSelectors or AdvancedEventSelectors")
    if basic:
        _check_basic(basic)
        return {"EventSelectors": [_filled(one) for one in basic]}
    _check_advanced(advanced or [])
    return {"AdvancedEventSelectors": [dict(one) for one in advanced or []]}


def services_of_data_events(selectors: Selectors) -> set[str]:
    """Return the services, as boto3 names them, of whose data events some are selected."""
    types = [r["Type"] for one in selectors.get("EventSelectors", []) for r in one["DataResources"]]
    for one in selectors.get("AdvancedEventSelectors", []):
        types += [value for value in _equals(one, "resources.type") if "Data" in _equals(one, "eventCategory")]
    return {DATA_TYPES[kind] for kind in types}


def selects(selectors: Selectors, record: dict[str, Any]) -> bool:
    """Whether the selectors let a record through."""
    return any(_basic_selects(one, record) for one in selectors.get("EventSelectors", [])) or any(
        _advanced_selects(one, record) for one in selectors.get("AdvancedEventSelectors", [])
    )


# --- Basic selectors --------------------------------------------------------------------------------------------------


def _filled(selector: dict[str, Any]) -> dict[str, Any]:
    return {
        "ReadWriteType": selector.get("ReadWriteType") or "All",
        "IncludeManagementEvents": selector.get("IncludeManagementEvents") is not False,
        "DataResources": list(selector.get("DataResources") or []),
        "ExcludeManagementEventSources": list(selector.get("ExcludeManagementEventSources") or []),
    }


def _check_basic(selectors: list[dict[str, Any]]) -> None:
    resources = [resource for one in selectors for resource in one.get("DataResources") or []]
    if len(selectors) > MOST_SELECTORS or sum(len(r.get("Values") or []) for r in resources) > MOST_RESOURCES:
        raise _invalid(f"a trail has at most {MOST_SELECTORS} selectors and {MOST_RESOURCES} data resources")
    for one in selectors:
        if (one.get("ReadWriteType") or "All") not in READ_WRITE_TYPES:
            raise _invalid(f"ReadWriteType must be one of {', '.join(READ_WRITE_TYPES)}")
        if not set(one.get("ExcludeManagementEventSources") or []) <= set(EXCLUDABLE):
            raise _invalid(f"only {' and '.join(EXCLUDABLE)} can be excluded")
    for resource in resources:
        kind = resource.get("Type")
        _check_type(kind)
        start = f"arn:aws:{DATA_TYPES[kind]}"
        for value in resource.get("Values") or []:
            if not value.startswith(start):
                raise _invalid(f"the value {value} is not an ARN, or the beginning of one, of {kind}")


def _basic_selects(selector: dict[str, Any], record: dict[str, Any]) -> bool:
    if selector["ReadWriteType"] not in ("All", "ReadOnly" if record["readOnly"] else "WriteOnly"):
        return False
    if record["managementEvent"]:
        excluded = selector["ExcludeManagementEventSources"]
        return selector["IncludeManagementEvents"] and record["eventSource"] not in excluded
    return any(
        resource["type"] == chosen["Type"] and _covers(chosen["Type"], value, resource["ARN"])
        for chosen in selector["DataResources"]
        for value in chosen.get("Values") or []
        for resource in record["resources"]
    )


def _covers(kind: str, value: str, arn: str) -> bool:
    """Whether a value names an ARN: the beginning of an object's, the whole of a function's."""
    exact = kind == "AWS::Lambda::Function" and value.count(":") >= 6
    return arn == value if exact else arn.startswith(value)


# --- Advanced selectors -----------------------------------------------------------------------------------------------


def _check_advanced(selectors: list[dict[str, Any]]) -> None:
    if sum(len(values) for one in selectors for _, _, values in _conditions(one)) > MOST_VALUES:
        raise _invalid(f"all conditions together have at most {MOST_VALUES} values")
    for one in selectors:
        category = _equals(one, "eventCategory")
        if len(category) != 1 or category[0] not in FIELDS:
            raise _invalid(f"eventCategory must equal one of {', '.join(FIELDS)}")
        kinds = _equals(one, "resources.type")
        if category == ["Data"] and len(kinds) != 1:
            raise _invalid("a selector of data events must name one resources.type by Equals")
        for kind in kinds:
            _check_type(kind)
        for field in one["FieldSelectors"]:
            if field["Field"] not in FIELDS[category[0]]:
                raise _invalid(f"{field['Field']} is not a field of {category[0]} events")
            if not any(field.get(name) for name in OPERATORS):
                raise _invalid(f"{field['Field']} needs one of {', '.join(OPERATORS)}")


def _conditions(selector: dict[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    for field in selector["FieldSelectors"]:
        for name in OPERATORS:
            if field.get(name):
                yield field["Field"], name, field[name]


def _equals(selector: dict[str, Any], wanted: str) -> list[str]:
    return [v for field, name, values in _conditions(selector) if (field, name) == (wanted, "Equals") for v in values]


def _advanced_selects(selector: dict[str, Any], record: dict[str, Any]) -> bool:
    return all(_meets(_values(record, field), name, values) for field, name, values in _conditions(selector))


def _meets(found: list[str], name: str, values: list[str]) -> bool:
    met = any(OPERATORS[name](one, value) for one in found for value in values)
    return met != name.startswith("Not")


def _values(record: dict[str, Any], field: str) -> list[str]:
    """Return what a record has in a field; of its resources only those whose data events these are count."""
    if field.startswith("resources."):
        chosen = [one for one in record["resources"] if one["type"] in DATA_TYPES]
        return [one[field.removeprefix("resources.")] for one in chosen]
    if field == "readOnly":
        return ["true" if record["readOnly"] else "false"]
    if field == "userIdentity.arn":
        return [record["userIdentity"].get("arn", "")]
    return [record[field]]


def _check_type(kind: Any) -> None:
    if kind not in DATA_TYPES:
        raise _invalid(f"the local cloud records data events of {' and '.join(DATA_TYPES)} only, not of {kind}")


def _invalid(why: str) -> AwsError:
    return AwsError("InvalidEventSelectorsException", f"The event selectors are not valid: {why}.")
