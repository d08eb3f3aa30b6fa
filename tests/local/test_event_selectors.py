"""Event selectors from outside are refused or decide; none ends in anything else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.local.api_call import AwsError
from labkit.local.cloudtrail.event_selectors import checked_selectors, selects, services_of_data_events

WORDS = st.sampled_from([
    "Data", "Management", "AWS::S3::Object", "AWS::Lambda::Function", "arn:aws:s3", "arn:aws:s3:::b/", "true", "",
    "arn:aws:lambda", "All", "ReadOnly", "kms.amazonaws.com",
])  # fmt: skip
LISTS = st.lists(WORDS, max_size=2)
NAMES = st.sampled_from(["eventCategory", "resources.type", "resources.ARN", "readOnly", "userIdentity.arn", "x"])
FIELDS = st.fixed_dictionaries({"Field": NAMES}, optional=dict.fromkeys(("Equals", "StartsWith", "NotEquals"), LISTS))
ADVANCED = st.fixed_dictionaries({"FieldSelectors": st.lists(FIELDS, max_size=4)})
RESOURCES = st.fixed_dictionaries({}, optional={"Type": WORDS, "Values": LISTS})
BASIC = st.fixed_dictionaries(
    {},
    optional={
        "ReadWriteType": WORDS,
        "IncludeManagementEvents": st.booleans(),
        "DataResources": st.lists(RESOURCES, max_size=2),
        "ExcludeManagementEventSources": LISTS,
    },
)
PARAMS = st.fixed_dictionaries(
    {},
    optional={"EventSelectors": st.lists(BASIC, max_size=2), "AdvancedEventSelectors": st.lists(ADVANCED, max_size=2)},
)
RECORD = {
    "managementEvent": False,
    "readOnly": True,
    "eventCategory": "Data",
    "eventSource": "s3.amazonaws.com",
    "eventName": "GetObject",
    "eventType": "AwsApiCall",
    "userIdentity": {"type": "AWSAccount"},
    "resources": [{"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::b/k"}],
}


@settings(max_examples=150, deadline=None)
@given(PARAMS)
def test_any_selectors_are_refused_or_decide(params):
    """What selects a data event also names its service: of no other service are records made."""
    try:
        selectors = checked_selectors(params)
    except AwsError as error:
        outcome = error.code
    else:
        outcome = selects(selectors, RECORD) and services_of_data_events(selectors)

    assert outcome is False or outcome == "InvalidEventSelectorsException" or "s3" in outcome
