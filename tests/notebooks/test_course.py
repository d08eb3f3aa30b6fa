"""What labkit does for the course: require, catch-up, the picture of the pipeline, progress."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import boto3
import pytest

import labkit
from labkit import course as graph
from labkit import progress_file
from labkit.cloud import settings, tags
from labkit.exceptions import LabkitError
from labkit.pipeline import draw_pipeline, in_words, look_at_pipeline

QUEUE = 'boto3.client("sqs").create_queue(QueueName=labkit.name("ProductVisitsDataQueue"), tags=lab["tags"])'
CONNECT = (
    "import boto3\nimport labkit\n"
    "lab = labkit.connect(CLOUD, lab_id=LAB_ID, region=REGION, email=EMAIL, size=SIZE)\nprint('Ready.')"
)
PARAMETERS = "LAB_ID = None\nREGION = None\nCLOUD = None\nEMAIL = None\nSIZE = None"


def write(folder: Path, name: str, needs: list[str], **cells: str) -> None:
    """Write a notebook whose cells carry the tags that are their names (without figures)."""
    made = [
        {"cell_type": "code", "id": f"{name[:2]}-{key}", "metadata": {"tags": [key.rstrip("0123456789")]},
         "source": source, "outputs": [], "execution_count": None}
        for key, source in {"parameters": PARAMETERS, "setup": CONNECT, **cells}.items()
    ]  # fmt: skip
    content = {"cells": made, "metadata": {"labkit": {"needs": needs}}, "nbformat": 4, "nbformat_minor": 5}
    (folder / f"{name}.ipynb").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def small_course(course, tmp_path, monkeypatch):
    """Three notebooks, 05 ← 03, 06 ← 05, in a lab without anything."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(folder))
    write(folder, "03_first", [], build=f"url = {QUEUE}", look="raise RuntimeError('taught, not built')")
    write(folder, "05_queue", ["03"], build="assert SIZE == 'small'", build2="made = 1")
    write(folder, "06_poll", ["05"], build="1 / 0")
    labkit.connect(lab_id=course.lab["lab_id"], size="small")
    labkit.cleanup(yes=True)
    progress_file.path().unlink(missing_ok=True)
    return folder


def test_what_is_needed_comes_in_an_order_in_which_it_can_be_built(small_course):
    """A graph, not 'everything before'."""
    assert graph.needed_by(["06"]) == ["03", "05", "06"]
    assert graph.first_that_needs(["03"]) == "05"


def test_notebooks_that_need_each_other_are_told(small_course):
    """A typing mistake in the metadata must not hang."""
    write(small_course, "03_first", ["06"])
    with pytest.raises(LabkitError, match="need each other: 06 → 05 → 03 → 06"):
        graph.needed_by(["06"])


def test_catching_up_runs_build_cells_only_in_order_and_says_so(small_course, capsys):
    """Lesson cells would take minutes, and fail on purpose."""
    capsys.readouterr()
    labkit.catch_up("06")

    said = capsys.readouterr().out.splitlines()
    assert [line[:5] for line in said[:2]] == ["[1/2]", "[2/2]"]
    assert said[-1].endswith("open 06_poll.ipynb")
    assert boto3.client("sqs").get_queue_url(QueueName=labkit.name("ProductVisitsDataQueue"))["QueueUrl"]
    assert progress_file.read()["notebooks"]["03"]["built"]["lab_id"] == settings()["lab_id"]


def test_a_build_cell_that_fails_names_notebook_cell_line_and_error(small_course):
    """Far from the notebook, that is all one has."""
    write(small_course, "07_lake", ["06"])
    with pytest.raises(LabkitError) as failure:
        labkit.catch_up("07")

    assert "06_poll.ipynb, cell 3 (06-build), line 1: 1 / 0\nZeroDivisionError: division by zero" in str(failure.value)


def test_a_queue_s_name_that_is_not_free_yet_is_waited_for(small_course):
    """SQS keeps it for a minute after a clean-up, and `--fresh` would stop at it."""
    build = """
sqs = boto3.client("sqs")
if "deleted" not in globals():
    deleted = sqs.create_queue(QueueName=labkit.name("Reborn"))["QueueUrl"]
    sqs.delete_queue(QueueUrl=deleted)
reborn = sqs.create_queue(QueueName=labkit.name("Reborn"), tags=lab["tags"])["QueueUrl"]
"""
    write(small_course, "03_first", [], build=build)

    labkit.catch_up("05")

    assert boto3.client("sqs").get_queue_url(QueueName=labkit.name("Reborn"))["QueueUrl"]


def test_fresh_removes_what_is_there_first(small_course):
    """For a lab that has got into a tangle."""
    boto3.client("sqs").create_queue(QueueName=labkit.name("Tangle"), tags=tags())

    labkit.catch_up("05", fresh=True)

    assert not any("Tangle" in name for name in labkit.inventory()["name"])


def refusal(*numbers: str) -> str:
    """What require says."""
    with pytest.raises(LabkitError) as refused:
        labkit.require(*numbers)
    return str(refused.value)


def test_what_was_never_built_is_told_apart(small_course):
    """Run it, or catch up."""
    message = refusal("03")

    assert "it was never built here; run 03, or in a terminal: labkit catch-up 05" in message
    assert "the queue ProductVisitsDataQueue, the role of ProductVisitSendDataToQueue" in message


def test_a_local_cloud_that_began_empty_is_told_apart(small_course):
    """After `labkit up --reset`, or when its state could not be read."""
    labkit.catch_up("05")
    progress_file.change_notebook("03", lambda entry: entry["built"].update(instance="another"))

    assert "the local cloud was started empty since" in refusal("03")


def test_another_cloud_lab_or_region_is_told_apart(small_course):
    """Nothing is wrong, one is only elsewhere."""
    labkit.catch_up("05")
    progress_file.change_notebook("03", lambda entry: entry["built"].update(cloud="aws"))
    assert "you are on local, and 03 was built on aws" in refusal("03")

    progress_file.change_notebook("03", lambda entry: entry["built"].update(cloud="local", lab_id="other"))
    assert "03 was built in lab other" in refusal("03")
    assert "choose_settings(lab_id='other')" in refusal("03")


def test_what_was_removed_is_told_apart(small_course):
    """Somebody ran 99."""
    labkit.catch_up("05")

    assert "has been removed since" in refusal("03")


def test_nothing_is_said_when_all_is_there(small_course, capsys):
    """Set-up cells stay quiet."""
    capsys.readouterr()
    labkit.require()

    assert capsys.readouterr().out == ""


def test_the_picture_shows_what_is_true(small_course):
    """Built, missing and failing, in the picture's words, its text and its table."""
    sqs = boto3.client("sqs")
    queue, dlq = (
        sqs.create_queue(QueueName=labkit.name(base))["QueueUrl"]
        for base in ("ProductVisitsDataQueue", "ProductVisitsDeadLetterQueue")
    )
    arn = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "3"})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": redrive})
    sqs.send_message(QueueUrl=dlq, MessageBody="lost")

    seen = look_at_pipeline()
    words = in_words(seen)
    figure = draw_pipeline(seen)
    drawn = [text.get_text() for text in figure.axes[0].texts]
    for url in (queue, dlq):
        sqs.delete_queue(QueueUrl=url)

    assert "2 of 12 parts are built." in words
    assert "Failing: the dead-letter queue: 1 failed message on it." in words
    assert (drawn.count("✓ built"), drawn.count("! failing"), sum("missing" in one for one in drawn)) == (1, 1, 10)
    assert len(labkit.show_pipeline()) == 12


def test_a_function_whose_last_invocation_raised_is_failing(course):
    """It is there, and it does not work."""
    from labkit.parts import _last_invocation

    logs, group = boto3.client("logs"), f"/aws/lambda/{labkit.name('Probe')}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = int(time.time() * 1000)
    lines = ["[ERROR] Runtime.ImportModuleError: no", "START RequestId: 1", "END RequestId: 1", "START RequestId: 2"]
    send = [{"timestamp": now + index, "message": line} for index, line in enumerate(lines)]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=send[:3])
    raised = _last_invocation(labkit.name("Probe"))
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=send[3:])
    mended = _last_invocation(labkit.name("Probe"))
    logs.delete_log_group(logGroupName=group)

    assert raised == "its last invocation raised: Runtime.ImportModuleError: no"
    assert mended == ""


def test_the_checkpoint_is_one_line_and_is_kept(small_course, capsys, tmp_path, monkeypatch):
    """Learners paste it into the chat; labkit run collects the numbers."""
    monkeypatch.setenv("LABKIT_FACTS", str(tmp_path / "facts"))
    monkeypatch.setattr(
        sys.modules["labkit.progress"], "checks_of", lambda number: dict.fromkeys(("1", "2", "predict"))
    )
    progress_file.change_notebook("03", lambda entry: entry.update(exercises={"1": "correct", "predict": "correct"}))
    capsys.readouterr()
    labkit.checkpoint("03", visits=12)

    assert capsys.readouterr().out == "03 ✓ core · 1 of 2 exercises\n"
    assert json.loads((tmp_path / "facts").read_text()) == {"notebook": "03", "facts": {"visits": 12}}
    table = labkit.progress()
    assert list(table["core"]) == ["done", "–", "–"]
    assert list(table["next step"]) == ["", "open 05_queue.ipynb", ""]


def test_a_saved_figure_says_where_its_numbers_come_from(course, tmp_path, monkeypatch):
    """A slide without cloud and time scale would be believed on AWS."""
    import matplotlib.pyplot as plt

    monkeypatch.setenv("LABKIT_BUILD", str(tmp_path))
    with plt.style.context("labkit.projector"):
        figure, axes = plt.subplots()
        size = figure.get_size_inches()
        fonts = [plt.rcParams[name] for name in ("font.size", "xtick.labelsize", "legend.fontsize")]
    axes.plot([1, 2])
    saved = labkit.save_figure(figure, "05_two_bars", caption="POST latency")
    plt.close(figure)

    assert saved == tmp_path / "figures" / "05_two_bars.png"
    assert saved.read_bytes().startswith(b"\x89PNG")
    assert figure.get_supxlabel() == "POST latency\nmeasured on: local cloud · time scale 600"
    assert size[0] / size[1] == pytest.approx(16 / 9)
    assert min(fonts) >= 16


def test_the_time_scale_turns_a_measured_wait_into_that_of_aws(course):
    """The column 'on AWS'."""
    assert labkit.time_scale() == 600.0


def test_both_tags_are_the_same_in_every_kernel(course):
    """A topic created again with another tag value would be refused by AWS."""
    first = labkit.connect(lab_id=course.lab["lab_id"])["tags"]

    assert first == labkit.connect(lab_id=course.lab["lab_id"])["tags"]
    assert set(first) == {"labkit:lab-id", "labkit:created-at"}


def test_the_budgets_of_all_notebooks_are_the_budget_of_one_headless_pass():
    """Three minutes on two cores; the run prints who takes longer than its share."""
    notebooks = (json.loads(one.path.read_text(encoding="utf-8")) for one in graph.notebooks().values())

    assert sum(notebook["metadata"]["labkit"]["seconds"] for notebook in notebooks) <= 180
