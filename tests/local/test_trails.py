"""What happens to trails and their records while the local cloud waits for a bucket."""

from __future__ import annotations

import asyncio

from labkit.local.api_call import ApiCall, AwsError, Caller, Headers, HttpRequest
from labkit.local.clock import Clock
from labkit.local.cloudtrail.delivery import Delivery
from labkit.local.cloudtrail.trails import Trails

ARN = "arn:aws:cloudtrail:us-east-1:123456789012:trail/audit"


def create_trail(name):
    http = HttpRequest("POST", "/", "", Headers([]))
    params = {"Name": name, "S3BucketName": "logs"}
    caller = Caller("administrator", "arn:aws:iam::123456789012:user/admin")
    return ApiCall("cloudtrail", "CreateTrail", params, "us-east-1", caller, "id", http)


def test_of_two_trails_of_one_name_one_is_made():
    """One call comes while the other asks the bucket."""

    async def check_bucket(trail):
        await asyncio.sleep(0)

    async def both():
        trails = Trails(check_bucket=check_bucket, now=Clock().now)
        calls = (trails.create_trail(create_trail("audit")) for _ in range(2))
        return await asyncio.gather(*calls, return_exceptions=True)

    made, refused = asyncio.run(both())

    assert made["TrailARN"] == ARN
    assert (type(refused), refused.code) == (AwsError, "TrailAlreadyExistsException")


def test_a_record_is_kept_until_its_log_file_is_in_the_bucket():
    """Whoever looks while the file is being stored, as a new journal does, still finds it; what came later stays."""
    trail = {"Name": "audit", "TrailARN": ARN, "S3BucketName": "logs", "times": {}}
    seen, noted, stored = [], [], asyncio.Event()

    async def put_object(bucket, key, body, content_type):
        delivery.to_log_file(ARN, {"eventID": "later", "awsRegion": "us-east-1"})
        seen.append([one["eventID"] for one in delivery.snapshot()["unwritten"][ARN]])
        stored.set()

    async def why_not(trail):
        return ""

    async def deliver():
        delivery.to_log_file(ARN, {"eventID": "first", "awsRegion": "us-east-1"})
        await stored.wait()
        await asyncio.sleep(0)
        return [one["eventID"] for one in delivery.snapshot()["unwritten"][ARN]]

    delivery = Delivery(
        trail={ARN: trail}.get, why_not=why_not, put_object=put_object, put_service_event=None, clock=Clock(30_000),
        emit=print, note=lambda *change: noted.append(change),
    )  # fmt: skip
    left = asyncio.run(deliver())

    assert (seen, left, noted) == ([["first", "later"]], ["later"], [("written", ARN, 1)])


def test_a_bucket_that_goes_while_a_log_file_is_on_its_way_is_told_of_and_the_record_kept():
    """It was there when its policy was asked; the next attempt, as often as AWS tries, finds it again."""
    trail = {"Name": "audit", "TrailARN": ARN, "S3BucketName": "logs", "times": {}}
    told, stored = [], asyncio.Event()

    async def put_object(bucket, key, body, content_type):
        if not told:
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)
        stored.set()

    async def why_not(trail):
        return ""

    async def deliver():
        delivery.to_log_file(ARN, {"eventID": "1", "awsRegion": "us-east-1"})
        await asyncio.wait_for(stored.wait(), 5)
        await asyncio.sleep(0)

    delivery = Delivery(
        trail={ARN: trail}.get, why_not=why_not, put_object=put_object, put_service_event=None, clock=Clock(30_000),
        emit=lambda kind, **fields: told.append((kind, fields["why"])), note=lambda *change: None,
    )  # fmt: skip
    asyncio.run(deliver())

    assert (told, delivery.unwritten, trail["delivery_error"]) == ([("not delivered", "NoSuchBucket")], {}, "")
