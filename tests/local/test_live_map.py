"""What the live map draws, and that it costs nothing when nobody looks any more."""

from __future__ import annotations

import asyncio
import io
import json

from labkit.local.api_call import ApiCall, AwsError, Caller, HttpRequest, HttpResponse
from labkit.local.events import Events
from labkit.local.front_door.server import _write
from labkit.local.pages.live_map import LiveMap
from labkit.local.picture import Arrow, Part, part_of

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:Send"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:Data"
PARTS = [Part(FUNCTION, "Lambda function", "Send"), Part(QUEUE, "SQS queue", "Data", {"waiting": 1})]


async def nothing():
    return []


def live_map(*drawn, events=None):
    return LiveMap(draw=[lambda: list(drawn)], look=nothing, events=events or Events(log=io.StringIO()))


def call(caller):
    params = {"QueueUrl": "http://127.0.0.1:4566/123456789012/Data"}
    http = HttpRequest("POST", "/", "", None)
    return ApiCall("sqs", "SendMessage", params, "us-east-1", caller=caller, http=http, request_id="r")


def arrows(one):
    return [(arrow["start"], arrow["end"], arrow["how"]) for arrow in asyncio.run(one.picture())["arrows"]]


def test_an_arrow_appears_when_a_function_has_used_a_part_and_not_when_it_was_refused():
    """Roles say what a function may do; the map says what it does."""
    function, refused = live_map(*PARTS), live_map(*PARTS)
    wearer = Caller("role", "arn", session_name="Send")
    function.observe(call(wearer), {}, None)
    function.observe(call(Caller("administrator", "arn")), {}, None)
    refused.observe(call(wearer), None, AwsError("AccessDenied", "no"))

    assert arrows(function) == [(FUNCTION, QUEUE, "SendMessage")]
    assert arrows(refused) == []


def test_an_arrow_whose_end_was_deleted_is_left_out():
    """What points at nothing explains nothing."""
    assert arrows(live_map(PARTS[0], Arrow(FUNCTION, QUEUE, "on failure"))) == []


def test_an_arrow_to_an_alias_ends_at_its_function():
    """A subscription, a rule or a notification may name a version or an alias."""
    assert arrows(live_map(*PARTS, Arrow(QUEUE, f"{FUNCTION}:live", "trigger"))) == [(QUEUE, FUNCTION, "trigger")]


def test_objects_belong_to_their_bucket_and_streams_and_indexes_to_their_table():
    """Arrows lead to parts, and these are parts."""
    table = "arn:aws:dynamodb:us-east-1:123456789012:table/Visits"

    assert part_of("arn:aws:s3:::lake/visits/a.json") == "arn:aws:s3:::lake"
    assert part_of(f"{FUNCTION}:live") == part_of(FUNCTION) == FUNCTION
    assert (part_of(f"{table}/stream/2026"), part_of(f"{table}/index/i"), part_of(QUEUE)) == (table, table, QUEUE)


def test_a_stream_begins_with_a_picture_tells_events_and_ends_with_its_reader():
    """A closed tab must not be drawn for ever."""
    events, sent = Events(log=io.StringIO()), []
    drawn = live_map(*PARTS, events=events)

    async def read_until_the_tab_is_closed():
        closed = asyncio.Event()

        async def receive():
            await closed.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)
            if len(sent) == 2:
                events.emit("mail", to="ada@example.com")
            if b'"mail"' in message.get("body", b""):
                closed.set()

        await asyncio.wait_for(_write("GET", HttpResponse(200, stream=drawn.stream()), receive, send), 10)

    asyncio.run(read_until_the_tab_is_closed())

    told = [json.loads(one["body"].removeprefix(b"data: ")) for one in sent if one.get("body", b"").startswith(b"data")]
    assert [(one["kind"], one.get("to")) for one in told] == [("picture", None), ("mail", "ada@example.com")]
    assert events._watchers == []
