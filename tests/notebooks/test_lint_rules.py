"""The lint finds what it is there for: a good notebook, spoilt in one way at a time."""

from __future__ import annotations

import json
import re

import pytest

from labkit import course as graph
from labkit.exercises import read_notebook, tags
from tests.notebooks import test_lint as lint

GOOD = graph.notebook("02").path


def spoil(edit):
    """Return a function that edits every cell's source; *edit* takes and returns the source."""

    def change(content):
        for cell in content["cells"]:
            cell["source"] = edit(cell["source"])

    return change


def swap(old, new):
    """Replace text everywhere."""
    return spoil(lambda source: source.replace(old, new))


def tagged(tag):
    """The first cell with a tag."""
    return lambda content: next(cell for cell in content["cells"] if tag in tags(cell))


def on(tag, **fields):
    """Change fields of the first cell with a tag."""
    return lambda content: tagged(tag)(content).update(fields)


def prepend(tag, source):
    """Put a line before the source of the first cell with a tag."""
    return lambda content: tagged(tag)(content).update(source=source + "\n" + tagged(tag)(content)["source"])


def add(source, *cell_tags, kind="code"):
    """Add a cell at the end."""

    def change(content):
        cell = {"cell_type": kind, "id": "02-new", "metadata": {"tags": list(cell_tags)}, "source": source}
        content["cells"].append(cell | ({"outputs": [], "execution_count": None} if kind == "code" else {}))

    return change


def without(heading):
    """Remove an H2 by turning it into text."""
    return spoil(lambda source: re.sub(rf"^## {heading}", heading, source, flags=re.MULTILINE))


SPOILT = [
    ("file_is_clean", lambda c: c["cells"][0].update(id="cab4998c"), "cell ids read as 02-07"),
    ("file_is_clean", lambda c: c["metadata"].update(jupytext={}), "metadata.jupytext is a trace"),
    ("file_is_clean", on("parameters", execution_count=3), "outputs and execution_count are not committed"),
    ("file_is_clean", on("parameters", metadata={"tags": ["raises-exception"]}), "hides failures"),
    ("file_belongs_to_the_course", lambda c: c["metadata"]["labkit"].update(needs=["01"]), "needs directly: []"),
    ("file_belongs_to_the_course", lambda c: c["metadata"]["labkit"].update(seconds=0), "budget in seconds"),
    ("file_belongs_to_the_course", lambda c: c["metadata"]["labkit"].update(minutes=[90, 0]), "10 to 35 minutes"),
    ("headings_are_in_order", add("# Another", kind="markdown"), "there is one H1"),
    ("headings_are_in_order", without("Exercise"), "'## Exercise' is missing"),
    ("headings_are_in_order", add("## Afterthought", kind="markdown"), "'## Deeper' is the last section"),
    ("headings_are_in_order", add("#### Far down", kind="markdown"), "leaves out a level"),
    ("facts_table_is_complete", swap("| Minutes", "| Time"), "'| Minutes | … |'"),
    ("objectives_come_back", swap("**You will be able to**", "**You can**"), "three or four bullets"),
    ("yesterday_is_asked", swap("**Yesterday in two questions**", "Yesterday"), "Yesterday in two questions"),
    ("diagrams_have_text", swap("accDescr", "acc"), "accDescr"),
    ("diagrams_have_text", add("![x](x.png)", kind="markdown"), "needs one that says what is to be seen"),
    ("parameters_are_the_five", prepend("parameters", "EXTRA = 1"), "exactly one cell carries the tag parameters"),
    ("setup_connects_and_requires", swap("email=EMAIL, ", ""), "the set-up cell calls lab = labkit.connect(CLOUD"),
    ("setup_connects_and_requires", prepend("setup", 'labkit.require("05")'), "no labkit.require"),
    ("setup_connects_and_requires", swap('print("Ready.")', "pass"), 'ends with print("Ready.")'),
    ("build_cells_stand_alone", prepend("build", "print(of_a_lesson_cell)"), "uses of_a_lesson_cell, which no earlier"),
    ("build_cells_stand_alone", prepend("build", "%matplotlib inline"), "no plain Python"),
    ("build_cells_stand_alone", add("x = 1", "build"), "nothing later needs Deeper"),
    ("creates_survive_a_second_run", add('iam.create_role(RoleName="x")'), "a second run of create_role meets"),
    ("creates_survive_a_second_run", add('api.create_rest_api(name="x")'), "makes a silent duplicate"),
    ("predictions_have_replies", on("predict", source='answer = "b"'), "is committed as 'answer = ...'"),
    ("predictions_have_replies", swap('"02.predict"', '"02.guess"'), "followed by labkit.check"),
    ("exercises_are_complete", swap("<summary>Hint 2</summary>", "<summary>Help</summary>"), "Hint 2</summary> is"),
    ("exercises_are_complete", swap("```python", "```"), "it needs one"),
    ("exercises_are_complete", swap('labkit.check("02.1"', 'labkit.check("02.9"'), "follows the stub"),
    ("checks_belong_to_the_notebook", swap('labkit.checkpoint("02"', 'labkit.checkpoint("03"'), "speaks of 03"),
    ("real_aws_is_told_as_in_the_docs", swap("| on AWS |", "| there |"), "starts with the table"),
    ("the_end_shows_what_runs", swap("labkit.inventory()", "pass"), "calls labkit.inventory()"),
    ("the_end_shows_what_runs", swap("In production you would also", "Elsewhere you"), "In production you would also"),
    ("the_end_shows_what_runs", swap("(99_clean_up.ipynb)", "(x)"), "points to [99 …]"),
    ("code_is_short", add("\n".join("x = 1" for _ in range(26))), "has 26 lines"),
    ("code_is_short", add("word " * 9000, kind="markdown"), "words of prose per line of code"),
    ("code_needs_no_sideways_scrolling", add(f"x = '{'x' * 90}'"), "a line of 96 characters, 88 at most"),
    ("code_needs_no_sideways_scrolling", swap("```python\n", f"```python\n# {'x' * 90}\n"), "a solution: a line of 92"),
    ("nothing_banned_is_used", add("time.sleep(30)"), "no long sleeps"),
    ("nothing_banned_is_used", add('x = "123456789012"'), "no account ids"),
    ("nothing_banned_is_used", add("!pip install x"), "nothing is installed from a cell"),
    ("nothing_banned_is_used", add('open("/home/me/x")'), "no absolute paths"),
    ("links_lead_somewhere", add("[x](nowhere.md)", kind="markdown"), "the link to nowhere.md leads nowhere"),
    ("scaled_time_has_both_columns", add("labkit.time_scale()"), "two columns"),
    ("scaled_time_has_both_columns", add('figure.savefig("x")'), "labkit.save_figure"),
    ("terms_come_in_their_notebook", add("A dead-letter queue helps.", kind="markdown"), "is introduced in 05"),
    ("terms_come_in_their_notebook", add("Then the **stream** comes.", kind="markdown"), "is introduced in 07"),
    ("terms_come_in_their_notebook", swap("../docs/glossary.md", "../docs/x.md"), "link its first use"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "change", "complaint"), SPOILT)
def test_a_spoilt_notebook_is_found(tmp_path, rule, change, complaint):
    """A rule that cannot fail is none."""
    content = read_notebook(GOOD)
    change(content)
    path = tmp_path / GOOD.name
    path.write_text(json.dumps(content), encoding="utf-8")

    complaints = list(getattr(lint, rule)(lint.Page(path)))

    assert any(complaint in one for one in complaints), complaints


def test_every_rule_is_tried():
    """Except those that only some notebooks meet."""
    tried = {rule for rule, _, _ in SPOILT} | {"invocations_are_named"}

    assert {rule.__name__ for rule in lint.RULES} == tried


def test_a_notebook_about_invocations_must_name_them(tmp_path):
    """03 to 10 end with their row of the card."""
    content = read_notebook(GOOD)
    path = tmp_path / "05_queue.ipynb"
    path.write_text(json.dumps(content), encoding="utf-8")

    assert any("who holds" in one for one in lint.invocations_are_named(lint.Page(path)))
