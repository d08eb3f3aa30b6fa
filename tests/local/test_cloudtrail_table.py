"""Which calls are management events: the table names real operations, and no call on objects or items is missing."""

from __future__ import annotations

import botocore.session
import pytest

from labkit.local.cloudtrail.record import DATA_EVENTS, EVENT_NAMES

MODELS = {service: botocore.session.get_session().get_service_model(service) for service in DATA_EVENTS}
# On an object, and yet of the bucket's own configuration or of the account.
NOT_ON_OBJECTS = {"WriteGetObjectResponse"}


@pytest.mark.parametrize("service", DATA_EVENTS)
def test_the_table_names_operations_that_there_are(service):
    """A typing mistake would record what AWS does not."""
    assert DATA_EVENTS[service] - set(MODELS[service].operation_names) - {"SelectObjectContent"} == set()
    assert {name for of, name in EVENT_NAMES if of == service} <= set(MODELS[service].operation_names)


def test_every_call_on_an_object_is_a_data_event():
    """Object-level calls are those with a Key: off by default and charged on AWS."""
    model = MODELS["s3"]
    on_objects = {
        name
        for name in model.operation_names
        if (shape := model.operation_model(name).input_shape) and "Key" in shape.members
    }

    assert on_objects - DATA_EVENTS["s3"] - NOT_ON_OBJECTS == set()
