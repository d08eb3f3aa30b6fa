"""Exercises of notebook 12: three faults, and three more that make no noise."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import uuid

import boto3
import pytest

import labkit
from labkit import course as graph

MENDED = ["a role lacked a right", "an exception was swallowed", "the mapping ignored failures"]
PROOFS = {"D": 2, "E": 3, "F": 4}


@pytest.fixture(scope="module")
def faults(course):
    """The folder of the faults, as the notebook imports it; the kernel is connected to the copy's lab afterwards."""
    sys.path.insert(0, str(graph.notebooks_folder()))
    import faults

    course.build("12")
    yield faults
    sys.path.remove(str(graph.notebooks_folder()))


@pytest.fixture
def game(faults):
    """``game("core", 1)``: the copy, whole, then broken as game 1 says."""

    def play(part, number):
        with contextlib.redirect_stdout(io.StringIO()):
            return faults.break_copy(part, number)

    return play


@pytest.fixture
def sound(faults):
    """The copy without a fault."""
    return faults.build_copy()


def not_yet(verdict, *words):
    assert verdict.outcome == "not yet", verdict
    for word in words:
        assert word in verdict.message, verdict


# --- 12.1 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("exercise", "names"), [("12.1", {"put_aside": set()}), ("12.2", {})])
def test_the_stub_counts_as_not_attempted(course, faults, exercise, names):
    """Who runs all cells has not tried yet."""
    assert course.answer(exercise, course.stub(exercise), **names).outcome == "not attempted"


# The number of a game decides who is hit. In core these are the roles of handler, sender and lake function, and code of
# both that read; in the stretch each filter and each snapshot.
@pytest.mark.parametrize("number", [0, 1, 5])
def test_the_solution_mends_every_game(course, game, number):
    """Whichever role and function the number chose."""
    copy = game("core", number)

    verdict = course.answer("12.1", course.solution("12.1"), copy=copy, put_aside=set())

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize("number", [0, 5])
def test_a_game_that_nobody_mended_is_not_yet(course, game, number):
    """Three texts alone mend nothing."""
    game("core", number)

    not_yet(course.check("12.1", MENDED, set()), "a role may do less than its function does")


def test_a_game_breaks_the_same_things_again(game, faults):
    """Neighbours compare; and continuous integration plays one game per LAB_ID."""

    def permissions():
        iam = boto3.client("iam")
        role = {"PolicyName": "least-privilege"}
        return [iam.get_role_policy(RoleName=labkit.name(one), **role)["PolicyDocument"] for one in faults.FUNCTIONS]

    game("core", 7)
    first = permissions()
    game("core", 7)

    assert permissions() == first
    assert faults.choose_game(7) == 7


def test_behind_a_proxy_the_copy_is_called_where_the_kernel_finds_it(course, faults, monkeypatch):
    """On a hub the browser's address of the API is no address for the kernel."""
    monkeypatch.setenv("LABKIT_PUBLIC_URL", "/user/ada/proxy/{port}")

    assert faults.build_copy()["url"].startswith("http://127.0.0.1:")
    assert course.check("12.1", MENDED, set()).outcome == "correct"


def test_everything_allowed_is_refused(course, sound):
    """A star works, and opens everything."""
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    role = labkit.name("ProductVisitHandler")
    boto3.client("iam").put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=json.dumps(policy))

    not_yet(course.check("12.1", MENDED, set()), "ProductVisitHandler", "a * mends the symptom")


def test_a_purged_queue_is_refused(course, sound):
    """What was kept on the dead-letter queue must be somewhere."""
    receipt = str(uuid.uuid4())
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=sound["dlq"], MessageBody=json.dumps({"ProductVisitKey": receipt}))
    sqs.purge_queue(QueueUrl=sound["dlq"])

    not_yet(course.check("12.1", MENDED, {receipt}), "1 visits", "purged, or deleted")


@pytest.mark.parametrize(
    ("policy", "words"),
    [({"maxReceiveCount": 1000}, "maxReceiveCount is 1000"), (None, "no redrive policy any more")],
)
def test_retrying_until_it_is_green_is_refused(course, sound, policy, words):
    """A visit that fails every time fails the thousandth time, too."""
    sqs = boto3.client("sqs")
    arn = sqs.get_queue_attributes(QueueUrl=sound["dlq"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({**policy, "deadLetterTargetArn": arn}) if policy else ""
    sqs.set_queue_attributes(QueueUrl=sound["queue"], Attributes={"RedrivePolicy": redrive})

    not_yet(course.check("12.1", MENDED, set()), words, "Retrying mends nothing")


def test_endless_retries_of_the_stream_are_refused(course, sound, faults):
    """The same in the stream's mapping."""
    [mapping] = boto3.client("lambda").list_event_source_mappings(FunctionName=labkit.name(faults.FUNCTIONS[2]))[
        "EventSourceMappings"
    ]
    boto3.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=-1)

    not_yet(course.check("12.1", MENDED, set()), "retries without end")


def test_an_exception_that_is_passed_over_is_no_mending(course, sound):
    """No error is left, and no visit either."""
    source = "def lambda_handler(event, context):\n    try:\n        1 / 0\n    except Exception:\n        pass\n"
    deploy("ProductVisitHandler", source)

    not_yet(course.check("12.1", MENDED, set()), "4 of 4 ordinary visits are nowhere", "except: pass")


def test_a_mapping_that_does_not_listen_is_named_by_what_is_missing(course, sound, faults):
    """Two of three are mended."""
    [mapping] = boto3.client("lambda").list_event_source_mappings(FunctionName=labkit.name(faults.FUNCTIONS[1]))[
        "EventSourceMappings"
    ]
    boto3.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], FunctionResponseTypes=[])

    not_yet(course.check("12.1", MENDED, set()), "'free' is nowhere", "FunctionResponseTypes")


@pytest.mark.parametrize(
    ("number", "words"), [(1, "difference(HANDLER)"), (0, "difference(LAKE)")], ids=["handler", "lake"]
)
def test_a_swallowed_exception_is_found_by_the_visit_that_is_missing(course, game, faults, number, words):
    """The rights and the mapping are mended, the code is not."""
    copy = game("core", number)
    mend, _, rest = course.solution("12.1").partition("for function in (HANDLER, LAKE):")
    listens = "found =" + rest.partition("found =")[2]

    not_yet(course.answer("12.1", f"{mend}\n{listens}", copy=copy, put_aside=set()), words)


def test_another_way_of_mending_is_correct(course, game):
    """A whole new policy, texts in a tuple."""
    copy = game("core", 6)
    solution = course.solution("12.1").replace('"own-work"', '"monday"')

    verdict = course.answer("12.1", f"{solution}\nmended = tuple(mended)", copy=copy, put_aside=set())

    assert verdict.outcome == "correct", verdict


def test_three_texts_are_wanted(course, faults):
    """One word is no diagnosis."""
    not_yet(course.check("12.1", "done", set()), "three short texts")


# --- 12.2 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 5])
def test_the_solution_of_the_stretch_mends_every_game(course, game, number):
    """Three filters, two snapshots."""
    copy = game("deeper", number)

    verdict = course.answer("12.2", course.solution("12.2"), copy=copy)

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("proofs", "words"),
    [
        ({"H": 2, "E": 3, "F": 4}, "the symptom"),
        ({"G": 5, "E": 3, "F": 4}, "A longer timeout is what people try first"),
        ({"A": 1}, "is innocent"),
        ({"B": 1}, "is innocent"),
        ({"C": 2}, "is innocent"),
        ({"D": 3, "E": 2, "F": 4}, "does not prove it"),
        ({"D": 2}, "1 of 3 found"),
        ({"X": 2}, "no suspect"),
        (["D", "E", "F"], "is a dict"),
    ],
)
def test_a_wrong_suspect_or_proof_gets_its_own_message(course, faults, proofs, words):
    """Symptom as cause, longer timeout, and the innocent."""
    not_yet(course.check("12.2", proofs), words)


def test_an_api_that_was_mended_and_not_deployed_is_not_mended(course, game):
    """The commonest of all."""
    game("deeper", 1)

    not_yet(course.check("12.2", PROOFS), "named, and not mended", "not deployed")


def test_a_longer_timeout_is_refused(course, sound):
    """Nobody was slow."""
    function = labkit.name("ProductVisitDataLakeHandler")
    boto3.client("lambda").update_function_configuration(FunctionName=function, Timeout=900)

    not_yet(course.check("12.2", PROOFS), "a longer timeout only lets the same failure take longer")
    boto3.client("lambda").get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig={"Delay": 1})
    boto3.client("lambda").update_function_configuration(FunctionName=function, Timeout=2)


@pytest.mark.parametrize("left", ["FilterCriteria", "BisectBatchOnFunctionError"])
def test_a_stream_mapping_that_is_half_mended_is_named(course, game, left):
    """The filter alone, or the retries alone."""
    copy = game("deeper", 0)
    lines = course.solution("12.2").splitlines()
    drop = {"FilterCriteria": ["FilterCriteria"], "BisectBatchOnFunctionError": ["Bisect", "MaximumRetry"]}[left]
    source = "\n".join(line for line in lines if not any(word in line for word in drop))

    words = {"FilterCriteria": "does the filter let them through", "BisectBatchOnFunctionError": "without end"}[left]
    not_yet(course.answer("12.2", source, copy=copy), words)


# --- Both -------------------------------------------------------------------------------------------------------------


def test_every_option_of_the_prediction_gets_its_reply(course, faults):
    """Loud faults come back; the silent one loses."""
    replies = {option: course.check("12.predict", option) for option in "abc"}

    assert [reply.outcome for reply in replies.values()] == ["correct", "not yet", "not yet"]
    assert len({reply.message for reply in replies.values()}) == 3


def test_a_copy_that_is_gone_is_said_to_be_gone(course, faults):
    """Whoever ran the last cell first plays again from the top."""
    with contextlib.redirect_stdout(io.StringIO()):
        labkit.cleanup(yes=True)

    not_yet(course.check("12.1", MENDED, set()), "of the copy is gone; run the notebook from the top")
    not_yet(course.check("12.2", PROOFS), "of the copy is gone")


def deploy(function, source):
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("lambda_function.py", source)
    name = labkit.name(function)
    boto3.client("lambda").update_function_code(FunctionName=name, ZipFile=buffer.getvalue())
    boto3.client("lambda").get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
