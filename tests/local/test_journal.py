"""The journal says at any time what the features hold; see also tests/contract/test_durability.py."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import pickle
import random
import time
from types import SimpleNamespace

import psutil
import pytest
from botocore.exceptions import ClientError

from labkit.local.__main__ import _restored
from labkit.local.durability.durability import Durability
from labkit.local.durability.journal import Journal
from labkit.local.durability.journal_file import JournalFile, Unreadable, framed
from labkit.local.durability.reading import Reading
from labkit.local.moto_app.app import MotoApp, backend
from labkit.local.moto_app.containers import log_stream
from labkit.local.moto_app.state import MotoState, moto_version
from labkit.local.moto_app.state_changes import Changes
from labkit.local.state_dir import StateDir
from tests.in_process import in_process, settings_for_tests
from tests.local.test_snapshots import NOBODY, fill, snapshots

STILL = {"max_environments": 0, "time_scale": 0.001, "smtp": NOBODY}


def reading_of(path):
    """Read a journal without going on from it."""
    found = Reading()
    file = JournalFile(path, {"moto": moto_version()})
    for record in file.read():
        found.add(*pickle.loads(record))  # noqa: S301  our own bytes
    file.close()
    return found


def by_id(state):
    """Messages in an order that does not depend on when they came back."""
    return {arn: sorted(messages.items()) for arn, messages in state["messages"].items() if messages}


def test_every_answered_call_stands_in_the_journal(tmp_path):
    """One of everything was made; nobody swept, nobody ended: what is written equals what is there."""
    with in_process(tmp_path, journal=tmp_path / "state.journal", **STILL) as cloud:
        fill(cloud.client)
        there = cloud.run(snapshots)
        written = reading_of(tmp_path / "state.journal").states(cloud.parts.features)

    for name in there.keys() - {"cloudwatch_metrics", "sqs"}:
        assert written[name] == there[name], name
    assert by_id(written["sqs"]) == by_id(there["sqs"])
    assert {**written["sqs"], "messages": 0} == {**there["sqs"], "messages": 0}


def test_a_file_that_cannot_be_begun_anew_goes_on(tmp_path, monkeypatch):
    """The disk is full, or somebody holds the file: nothing that was or is appended is lost."""
    path = tmp_path / "state.journal"
    file = JournalFile(path, {"moto": moto_version()})
    file.replace([b"one"])
    file.append([b"two"])

    def refuse(*paths):
        raise PermissionError("in use")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError):
        file.replace([b"other"])
    file.append([b"three"])
    file.close()

    again = JournalFile(path, {"moto": moto_version()})
    assert again.read() == [b"one", b"two", b"three"]
    again.close()


def test_a_journal_that_cannot_begin_anew_still_writes_the_large_values_of_a_state(tmp_path, monkeypatch):
    """A state is written with hashes for its large values: those that only the failed file held are written again."""
    path, code = tmp_path / "state.journal", b"x" * 2**17
    file = JournalFile(path, {"moto": moto_version()})
    journal = Journal(file)
    journal.begin_anew("id", [("lambda", {})], [])

    def refuse(*paths):
        raise PermissionError("in use")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", refuse)
        with pytest.raises(PermissionError):
            journal.begin_anew("id", [("lambda", {"code": code})], [])
    journal.add_state("lambda", {"code": code})
    journal.append()
    journal.close()

    assert reading_of(path).states({"lambda": None}) == {"lambda": {"code": code}}


def test_a_call_is_kept_or_told_that_it_may_be_lost_while_the_journal_ends(tmp_path):
    """Who came before the end is waited for; who came behind it is not answered as if it had been kept."""

    async def end():
        permits = asyncio.Queue()
        collected = []

        async def collect():
            await permits.get()
            collected.append(len(collected))
            return [("of moto", collected[-1])]

        async def then(*permitted):
            for permit in permitted:
                permits.put_nowait(permit)
            for _ in range(20):
                await asyncio.sleep(0)

        something = Changes(backends={("s3", "aws")})
        moto = SimpleNamespace(changes=something, uncollected=(), collect=collect, everything=collect)
        file = JournalFile(tmp_path / "state.journal", {"moto": moto_version()})
        durability = Durability(file, moto=moto, touched_by={}, activity=lambda: 0, emit=lambda *a, **k: None)
        await then(1)
        await durability.restore()
        ending = asyncio.create_task(durability.close())
        await then()
        before = asyncio.create_task(durability.kept())
        await then(2)
        behind = asyncio.create_task(durability.kept())
        await then(3)
        await ending
        return await before, (await asyncio.gather(behind, return_exceptions=True))[0].code, len(collected)

    assert asyncio.run(end()) == (None, "ServiceUnavailable", 3)
    assert reading_of(tmp_path / "state.journal").of_moto[-1] == ("of moto", 2)


def put_line(cloud, message):
    """Write one line to a log stream."""
    line = {"timestamp": int(time.time() * 1000), "message": message}
    cloud.client("logs").put_log_events(logGroupName="g", logStreamName="s", logEvents=[line])


@contextlib.contextmanager
def moto_from(journal):
    """Let moto have what the journal says of it."""
    state = MotoState(MotoApp())
    asyncio.run(state.restore(reading_of(journal).of_moto))
    try:
        yield
    finally:
        asyncio.run(state.reset())


def test_changes_that_are_tried_again_are_of_every_kind():
    """A part of an upload is as dear as an item of a table."""
    table = {("us-east-1", "t"): [{"k": {"S": "1"}}]}
    values = {field.name: table if field.name == "items" else {field.name} for field in dataclasses.fields(Changes)}
    kept, again = Changes(), Changes(**values)

    kept.update(again)

    assert kept == again


@pytest.fixture
def fails_once(monkeypatch):
    """Let the next look at moto's changes fail when it is done."""

    def fail_once():
        collect, failing = MotoState._collect, [RuntimeError("not today")]

        def collected(self, changes):
            records = collect(self, changes)
            if failing:
                raise failing.pop()
            return records

        monkeypatch.setattr(MotoState, "_collect", collected)

    return fail_once


@pytest.mark.parametrize("then", ["another change", "the end"])
def test_what_could_not_be_made_a_record_of_is_written_the_next_time(then, fails_once, tmp_path, capsys):
    """A bug of labkit costs one answer, and nothing of what was done: it is tried again, and the log says why."""
    journal, lines = tmp_path / "state.journal", ["first"]
    with in_process(tmp_path, journal=journal, **STILL) as cloud:
        logs = cloud.client("logs")
        logs.create_log_group(logGroupName="g")
        logs.create_log_stream(logGroupName="g", logStreamName="s")
        fails_once()

        with pytest.raises(ClientError) as refused:
            put_line(cloud, "first")
        read = logs.get_log_events(logGroupName="g", logStreamName="s")["events"]
        if then == "another change":
            put_line(cloud, "second")
            lines.append("second")
        else:
            cloud.run(lambda parts: parts.keep())

    assert refused.value.response["Error"]["Code"] == "InternalFailure"
    assert [event["message"] for event in read] == ["first"]
    with moto_from(journal):
        assert [event.message for event in log_stream(("logs", "us-east-1", "g", "s")).events] == lines
    assert "RuntimeError: not today" in capsys.readouterr().err


def test_what_happens_while_the_journal_cannot_begin_anew_goes_into_the_old_one(tmp_path, monkeypatch):
    """A snapshot that cannot be written takes nothing with it: neither what was done meanwhile nor what comes."""
    journal = tmp_path / "state.journal"
    everything = MotoState.everything

    def refuse(*paths):
        raise PermissionError("in use")

    async def and_meanwhile(self):
        backend("s3", "aws").create_bucket("meanwhile", "us-east-1")
        self.changes.backends.add(("s3", "aws"))
        return await everything(self)

    with in_process(tmp_path, journal=journal, **STILL) as cloud:
        cloud.client("s3").create_bucket(Bucket="before")
        with monkeypatch.context() as patched:
            patched.setattr(MotoState, "everything", and_meanwhile)
            patched.setattr(os, "replace", refuse)
            cloud.run(lambda parts: parts.durability._compact(parts.durability._journal))
        for bucket in ("before", "meanwhile"):
            cloud.client("s3").put_object(Bucket=bucket, Key="after", Body=b"x")

    with moto_from(journal):
        assert {name: list(one.keys) for name, one in backend("s3", "aws").buckets.items()} == {
            "before": ["after"], "meanwhile": ["after"],
        }  # fmt: skip


@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_whatever_is_done_with_messages_stands_in_the_journal(suffix, tmp_path):
    """Two hundred random steps; the seed makes them the same each time."""
    dice = random.Random(4)
    with in_process(tmp_path, journal=tmp_path / "state.journal", **STILL) as cloud:
        sqs = cloud.client("sqs")
        fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if suffix else {}
        dlq = sqs.create_queue(QueueName=f"dlq{suffix}", Attributes=fifo)["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:123456789012:dlq{suffix}"
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
        url = sqs.create_queue(QueueName=f"q{suffix}", Attributes={**fifo, "RedrivePolicy": redrive})["QueueUrl"]
        handles = []

        def send(number):
            group = {"MessageGroupId": str(dice.randint(1, 3))} if suffix else {}
            sqs.send_message(QueueUrl=url, MessageBody=str(number), **group)

        def receive(number):
            got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=3, VisibilityTimeout=dice.choice([0, 600]))
            handles.extend(message["ReceiptHandle"] for message in got.get("Messages", []))

        def delete(number):
            if handles:
                sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "1", "ReceiptHandle": dice.choice(handles)}])

        def hide(number):
            if handles:
                entry = {"Id": "1", "ReceiptHandle": dice.choice(handles), "VisibilityTimeout": dice.choice([0, 60])}
                sqs.change_message_visibility_batch(QueueUrl=url, Entries=[entry])

        for number in range(200):
            dice.choice([send, send, receive, receive, delete, hide])(number)
        sqs.start_message_move_task(SourceArn=arn)
        while sqs.list_message_move_tasks(SourceArn=arn)["Results"][0]["Status"] == "RUNNING":
            pass
        sqs.send_message(QueueUrl=dlq, MessageBody="x", **({"MessageGroupId": "g"} if suffix else {}))
        sqs.purge_queue(QueueUrl=dlq)

        def due(parts):
            return parts.features["sqs"].snapshot()

        there, written = cloud.run(due), reading_of(tmp_path / "state.journal").states(cloud.parts.features)["sqs"]

    assert len(there["messages"][f"arn:aws:sqs:us-east-1:123456789012:q{suffix}"]) > 10
    assert written["queues"] == there["queues"]
    now_back = {"due_at": 0, "delayed": False}  # a visibility timeout that is over has the same end in both
    for arn, messages in there["messages"].items():
        assert written["messages"].get(arn, {}).keys() == messages.keys()
        for message_id, message in messages.items():
            kept = written["messages"][arn][message_id]
            assert kept | now_back == message | now_back
            assert kept["due_at"] == message["due_at"] or message["due_at"] == 0


def test_whatever_is_published_stands_in_the_journal(tmp_path):
    """What a FIFO topic has seen, what is on its way to whom; what was delivered or deleted no longer."""
    with in_process(tmp_path, journal=tmp_path / "state.journal", **STILL) as cloud:
        sns = cloud.client("sns")
        topics = [
            sns.create_topic(Name=f"{name}.fifo", Attributes={"FifoTopic": "true"})["TopicArn"] for name in ("a", "b")
        ]
        gone = "arn:aws:sqs:us-east-1:123456789012:gone.fifo"
        mails = sns.create_topic(Name="mails")["TopicArn"]
        sns.subscribe(TopicArn=topics[0], Protocol="sqs", Endpoint=gone)  # each delivery fails at once
        sns.subscribe(TopicArn=mails, Protocol="email", Endpoint="ada@example.com")  # and this mail waits
        for number in range(20):
            arguments = {"MessageGroupId": "g", "MessageDeduplicationId": str(number % 7)}
            sns.publish(TopicArn=topics[number % 2], Message=str(number), **arguments)
        sns.delete_topic(TopicArn=topics[1])

        there = cloud.run(lambda parts: parts.features["sns"].snapshot())
        written = reading_of(tmp_path / "state.journal").states(cloud.parts.features)["sns"]

    assert (len(there["deliveries"]), [len(one["seen"]) for one in there["published"].values()]) == (1, [7])
    assert written == there


def test_a_journal_is_closed_before_it_is_set_aside(tmp_path, monkeypatch):
    """Windows gives no other name to a file that is open; a local cloud that cannot go on would never start again."""
    state_dir, open_then = StateDir(tmp_path), []
    file = JournalFile(state_dir.journal, {"moto": moto_version()})
    file.replace([pickle.dumps(("began", "id")), pickle.dumps(("change", "sqs", ("put", "arn", {})))])
    file.close()
    set_aside = StateDir.set_aside

    def seen(self, why):
        open_then.extend(one.path for one in psutil.Process().open_files())
        return set_aside(self, why)

    async def start():
        settings = settings_for_tests(tmp_path, "http://127.0.0.1:1", journal=state_dir.journal)
        cloud, told = await _restored(settings, state_dir, asyncio.Event())
        await cloud.keep()
        await cloud.close()
        return told

    monkeypatch.setattr(StateDir, "set_aside", seen)

    assert "what an earlier one kept cannot be read (the local cloud cannot go on from it" in asyncio.run(start())
    assert str(state_dir.journal) not in open_then
    assert reading_of(state_dir.journal).state_id != "id"


def test_large_values_are_written_once(tmp_path):
    """The code of a function of 50 MB must not be written with each change of any function."""
    from labkit.local.durability.records import Writer

    writer, code = Writer(), bytes(2**17)

    first = writer.changed("lambda", {"functions": [{"package": code}], "n": 1})
    second = writer.changed("lambda", {"functions": [{"package": code}], "n": 2})
    third = writer.changed("lambda", {"functions": [{"package": code}], "n": 2})

    assert [len(first), len(second), len(third)] == [2, 1, 0]
    assert sum(map(len, second)) < 1000
    found = Reading()
    for record in [*first, *second]:
        found.add(*pickle.loads(record))  # noqa: S301  our own bytes
    assert found.of_features[-1] == ("lambda", "state", {"functions": [{"package": code}], "n": 2})


def test_a_record_is_whole_or_not_there(tmp_path):
    """Cut off anywhere, the file gives the records before the cut; changed anywhere, it is refused."""
    path = tmp_path / "journal"
    file = JournalFile(path, {"moto": "1"})
    file.replace([b"first"])
    file.append([b"second", b"third"])
    file.close()
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    ends = [start, *(start + len(b"".join(map(framed, (b"first", b"second", b"third")[:n]))) for n in (1, 2, 3))]

    for cut in range(start, len(whole)):
        path.write_bytes(whole[:cut])
        cut_off = JournalFile(path, {"moto": "1"})
        assert len(cut_off.read()) == max(n for n, end in enumerate(ends) if end <= cut)
        cut_off.append([b"next"])
        cut_off.close()
        again = JournalFile(path, {"moto": "1"})
        assert again.read()[-1] == b"next"
        again.close()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(Unreadable):
            JournalFile(path, {"moto": "1"}).read()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda data: data[:-1] + b"!", "record 2 is damaged"),
        (lambda data: data.replace(b'"format": 1', b'"format": 2', 1), "its format is 2, and this labkit reads 1"),
        (lambda data: data.replace(b'"moto": "', b'"moto": "9', 1), "its moto is 91, and this labkit reads 1"),
        (lambda data: b"something else", "its first line is damaged"),
        (lambda data: b"[1, 2]\n", "its first line is damaged"),
        (lambda data: b"", "its first line is damaged"),
    ],
    ids=["damaged", "newer", "other moto", "no journal", "other JSON", "empty"],
)
def test_a_journal_that_cannot_be_read_says_why(damage, why, tmp_path):
    """A person must be able to tell a broken disk from an update."""
    path = tmp_path / "journal"
    file = JournalFile(path, {"moto": "1"})
    file.replace([b"first", b"second"])
    file.close()
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(Unreadable, match=why):
        JournalFile(path, {"moto": "1"}).read()
