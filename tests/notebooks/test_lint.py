"""Each notebook has the form that a learner relies on.

For those who write one: ``python -m pytest tests/notebooks/test_lint.py -k 05``.

A rule takes a ``Page`` and yields complaints; each says where, what was seen and what to do.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from labkit.checks import checks_of
from labkit.checks.prediction import Prediction
from labkit.exceptions import LabkitError
from labkit.exercises import exercises, predictions, read_notebook, tags

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
COURSE = {
    "00": "start_here", "01": "the_whole_thing", "02": "static_website", "03": "first_function", "04": "rest_api",
    "05": "queue", "06": "poll_and_store", "07": "stream_to_lake", "08": "query_the_lake", "09": "audit_and_alert",
    "10": "async_invocation", "11": "three_invocations", "12": "break_it", "13": "scale_and_cost", "99": "clean_up",
}  # fmt: skip
FILES = [f"{number}_{name}.ipynb" for number, name in COURSE.items()]
NEEDS = {
    "00": [], "01": [], "02": [], "03": [], "04": ["02", "03"], "05": ["03"], "06": ["04", "05"], "07": ["06"],
    "08": ["07"], "09": ["07"], "10": ["09"], "11": [], "12": [], "13": ["06", "07"], "99": [],
}  # fmt: skip
OWN_COPY = {"01", "12"}  # they build and remove a copy of their own
TOUR = {"01"}  # exempt from what course.md exempts it from: ledger, words per line, number of cells, sections
PARAMETERS = ["LAB_ID = None", "REGION = None", "CLOUD = None", "EMAIL = None", "SIZE = None"]
WIDEST = 88
BEFORE, AFTER = ["Where we are", "Set-up"], [
    "How do you know it works", "Exercise", "On real AWS", "What is running now", "Recap",
]  # fmt: skip
FACTS = ("Minutes", "Builds", "Needs", "Idle cost per day on AWS")
BANNED = {
    r"pip install": "nothing is installed from a cell",
    r"\binput\(": "a cell must run without a keyboard",
    r"getpass": "no secrets in a notebook",
    r"(?<![\d.])\d{12}(?!\d)": "no account ids: take lab['account']",
    r"(?<![\w.:/])/(home|Users|tmp|work|root)/": "no absolute paths",
    r"\b[A-Z]:\\": "no absolute paths",
    r"sleep\(\s*(?:[5-9]|\d{2,})\b": "no long sleeps: labkit.wait_until, or a boto3 waiter",
    r"\[\!(?:NOTE|TIP|WARNING)\]": "JupyterLab does not render GitHub alerts",
    r"^:::": "JupyterLab does not render MyST directives",
    r"labkit\.local\b": "notebooks do not reach into the local cloud",
    r"(?:src|href)=[\"']https?://": "nothing is fetched from the internet when a cell runs",
}
# AWS keeps these names unique, so the second run meets an error that the cell must expect.
NAMED_CREATES = {
    "create_role", "create_function", "create_event_source_mapping", "create_table", "create_trail", "add_permission",
}  # fmt: skip
# AWS makes up these ids, so the second run would make a silent duplicate unless one looks first.
LOOKED_UP_CREATES = {
    "create_rest_api": "get_rest_apis", "create_usage_plan": "get_usage_plans", "create_api_key": "get_api_keys",
    "create_resource": "get_resources",
}  # fmt: skip
EVERYDAY = {"event", "message", "key", "item", "rule", "plan", "client", "tag", "account", "batch", "role", "package",
            "partition", "policy", "region", "target", "topic", "bus", "stage", "stream", "filter", "queue", "model",
            "deployment", "destination", "concurrency", "handler"}  # fmt: skip


@dataclass(frozen=True)
class Page:
    """A notebook, read once."""

    path: Path

    @cached_property
    def content(self) -> dict[str, Any]:
        """The file; each source is one string."""
        return read_notebook(self.path)

    @property
    def number(self) -> str:
        """``"05"``."""
        return self.path.name[:2]

    @property
    def cells(self) -> list[dict[str, Any]]:
        """All cells."""
        return list(self.content["cells"])

    @property
    def code(self) -> list[dict[str, Any]]:
        """Code cells."""
        return [cell for cell in self.cells if cell["cell_type"] == "code"]

    @cached_property
    def text(self) -> str:
        """All Markdown."""
        return "\n\n".join(cell["source"] for cell in self.cells if cell["cell_type"] == "markdown")

    @cached_property
    def prose(self) -> str:
        """All Markdown without fences."""
        return re.sub(r"^```.*?^```", "", self.text, flags=re.DOTALL | re.MULTILINE)

    @property
    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading."""
        return [(len(marks), title.strip()) for marks, title in re.findall(r"^(#+) (.+)$", self.prose, re.MULTILINE)]

    @property
    def minutes(self) -> list[int]:
        """Core and Deeper."""
        return list(self.content["metadata"].get("labkit", {}).get("minutes", [0, 0]))

    def section(self, title: str) -> str:
        """The Markdown of an H2 section; ``""`` when there is none."""
        found = re.search(rf"^## {re.escape(title)}.*?$(.*?)(?=^## |\Z)", self.text, re.DOTALL | re.MULTILINE)
        return found[1] if found else ""

    def part(self, title: str) -> list[dict[str, Any]]:
        """The cells from an H2 up to the next one."""
        found: list[dict[str, Any]] = []
        inside = False
        for cell in self.cells:
            if cell["cell_type"] == "markdown":
                for heading in re.findall(r"^## (.+)$", cell["source"], re.MULTILINE):
                    inside = heading.strip().startswith(title)
            if inside:
                found.append(cell)
        return found

    def core(self) -> list[dict[str, Any]]:
        """The cells before ``## Deeper``."""
        for index, cell in enumerate(self.cells):
            if cell["cell_type"] == "markdown" and re.search(r"^## Deeper", cell["source"], re.MULTILINE):
                return self.cells[:index]
        return self.cells


def where(cell: dict[str, Any]) -> str:
    """Name a cell as its author can find it."""
    first = next((line for line in cell["source"].splitlines() if line.strip()), "")
    return f"cell {cell.get('id')} ({first[:50]!r})"


def rows(markdown: str) -> list[list[str]]:
    """The rows of the first table in *markdown*, its header first, without the rule below it."""
    found: list[list[str]] = []
    for line in markdown.splitlines():
        if line.startswith("|"):
            found.append([part.strip() for part in re.split(r"(?<!\\)\|", line.strip().strip("|"))])
        elif found:
            break
    return [row for row in found if not all(re.fullmatch(r":?-+:?", part) for part in row)]


# --- the file ---------------------------------------------------------------------------------------------------------


def file_is_clean(page: Page) -> Iterator[str]:
    """Committed without outputs and without traces of tools."""
    metadata = page.content["metadata"]
    if (page.content["nbformat"], page.content["nbformat_minor"]) != (4, 5):
        yield "the format must be nbformat 4.5: cell ids need it"
    if metadata.get("kernelspec", {}).get("name") != "python3":
        yield "metadata.kernelspec.name must be python3"
    for foreign in {"jupytext", "papermill", "widgets"} & set(metadata):
        yield f"metadata.{foreign} is a trace of a tool: remove it"
    for cell in page.cells:
        for foreign in {"papermill", "execution", "lines_to_next_cell"} & set(cell["metadata"]):
            yield f"{where(cell)}: metadata.{foreign} is a trace of a tool: remove it"
        for tag in {"raises-exception", "skip-execution"} & set(tags(cell)):
            yield f"{where(cell)}: the tag {tag} hides failures; show an error with try/except ClientError"
    for cell in page.code:
        if cell["outputs"] or cell["execution_count"] is not None:
            yield f"{where(cell)}: outputs and execution_count are not committed: nbstripout {page.path.name}"
    ids = [cell.get("id", "") for cell in page.cells]
    if len(set(ids)) != len(ids):
        yield "two cells have the same id"
    if bad := [one for one in ids if not one.startswith(f"{page.number}-")]:
        yield f"cell ids read as {page.number}-07, so that a diff and an error can be found; not {bad[0]!r}"


def file_belongs_to_the_course(page: Page) -> Iterator[str]:
    """Name and graph."""
    if page.path.name not in FILES:
        yield f"the course has no {page.path.name}; it has: {', '.join(FILES)}"
        return
    facts = page.content["metadata"].get("labkit", {})
    if facts.get("needs") != NEEDS[page.number]:
        yield f"metadata.labkit.needs is {facts.get('needs')}; this notebook needs directly: {NEEDS[page.number]}"
    if not facts.get("seconds", 0) > 0:
        yield "metadata.labkit.seconds holds the budget in seconds for SIZE=small on two cores"
    minutes = facts.get("minutes")
    if not (isinstance(minutes, list) and len(minutes) == 2 and 10 <= minutes[0] <= 35):
        yield f"metadata.labkit.minutes is {minutes}; it holds [Core, Deeper], and a Core has 10 to 35 minutes"


# --- the form ---------------------------------------------------------------------------------------------------------


def headings_are_in_order(page: Page) -> Iterator[str]:
    """One H1, no level left out, the sections of every notebook in their order."""
    tops = [title for level, title in page.headings if level == 1]
    if len(tops) != 1 or not tops[0].startswith(f"{page.number} · "):
        yield f"there is one H1, '# {page.number} · Title', in the first cell; seen: {tops}"
    first = page.cells[0]["source"]
    if not re.match(r"# .+\n\n\S.{30,}", first):
        yield "below the H1, in the first cell, one sentence says what exists at the end that did not before"
    for (before, _), (level, title) in zip(page.headings, page.headings[1:], strict=False):
        if level > before + 1:
            yield f"'{'#' * level} {title}' leaves out a level: screen readers jump by levels"
    titles = [title for level, title in page.headings if level == 2]
    fixed = BEFORE + AFTER + (["Deeper"] if page.minutes[1] else [])
    for title in fixed:
        if title not in titles:
            yield f"the section '## {title}' is missing"
    seen = [title for title in titles if title in fixed]
    if seen != [title for title in fixed if title in titles]:
        yield f"the sections stand in the order {', '.join(fixed)}; seen: {', '.join(seen)}"
    if "Deeper" in titles and titles[-1] != "Deeper":
        yield "'## Deeper' is the last section: a class may stop there"
    if page.number not in TOUR and {"Set-up", "How do you know it works"} <= set(titles):
        between = titles[titles.index("Set-up") + 1 : titles.index("How do you know it works")]
        if not 3 <= len(between) <= 5:
            yield f"between set-up and validation stand three to five sections; seen: {between}"


def facts_table_is_complete(page: Page) -> Iterator[str]:
    """Minutes, builds, needs, idle cost."""
    table = {row[0]: row[1] for row in rows(page.text) if len(row) == 2}
    for fact in FACTS:
        if not table.get(fact):
            yield f"the plain table below the title has a row '| {fact} | … |'"
    core = page.minutes[0]
    found = [int(one) for one in re.findall(r"\d+", table.get("Minutes", ""))]
    if core and found and core not in (found[0], sum(found[:2])):
        yield f"the row Minutes says {table['Minutes']!r}, the metadata {page.minutes}: Core is read and run + exercise"


def objectives_come_back(page: Page) -> Iterator[str]:
    """Three or four verbs, repeated word for word in the recap."""
    found = re.search(r"\*\*You will be able to\*\*:?\n\n?((?:[-*] .*(?:\n|\Z))+)", page.text)
    if not found:
        yield "'**You will be able to**' is followed by a list of three or four bullets"
        return
    bullets = [line[2:].strip().rstrip(".,;") for line in found[1].strip().splitlines()]
    if not 3 <= len(bullets) <= 4:
        yield f"'You will be able to' has three or four bullets; seen: {len(bullets)}"
    recap = page.section("Recap")
    for bullet in bullets:
        if bullet not in recap:
            yield f"the recap repeats every bullet word for word; missing: {bullet!r}"


def yesterday_is_asked(page: Page) -> Iterator[str]:
    """From 02 on: two questions with folded answers."""
    if int(page.number) < 2:
        return
    found = re.search(r"\*\*Yesterday in two questions\*\*(.*?)^## ", page.text, re.DOTALL | re.MULTILINE)
    if not found or found[1].count("<details>") != 2:
        yield "before '## Where we are' stands '**Yesterday in two questions**' with two <details>, the answers folded"


def diagrams_have_text(page: Page) -> Iterator[str]:
    """accTitle, accDescr, and a sentence below, since a picture may not be there."""
    fences = re.findall(r"^```mermaid\n(.*?)^```", page.text, re.DOTALL | re.MULTILINE)
    if "```mermaid" not in page.section("Where we are"):
        yield "'## Where we are' shows the pipeline as a ```mermaid diagram, today's edge marked by its label"
    for fence in fences:
        if "accTitle:" not in fence or "accDescr" not in fence:
            yield "every mermaid diagram has 'accTitle: …' and 'accDescr: …' as its first lines"
    below = page.section("Where we are").rpartition("```")[2].strip()
    if fences and len(below) < 40:
        yield "below the diagram the same stands in a sentence: in HTML without a network there is no picture"
    for alt in re.findall(r"!\[(.*?)\]\(", page.text):
        if len(alt) < 10:
            yield f"the image with the alt text {alt!r} needs one that says what is to be seen"


def parameters_are_the_five(page: Page) -> Iterator[str]:
    """Papermill, labkit run and 00 rely on them."""
    found = [cell for cell in page.code if "parameters" in tags(cell)]
    if [cell["source"].strip().splitlines() for cell in found] != [PARAMETERS]:
        yield "exactly one cell carries the tag parameters, and holds just: " + "; ".join(PARAMETERS)


def setup_connects_and_requires(page: Page) -> Iterator[str]:
    """The same lines everywhere, so that catch-up can execute them."""
    found = [cell for cell in page.code if "setup" in tags(cell)]
    source = "\n".join(cell["source"] for cell in found)
    if not found:
        yield "the set-up cell carries the tag setup"
        return
    connect = "labkit.connect(CLOUD, lab_id=LAB_ID, region=REGION, email=EMAIL, size=SIZE"
    if connect not in re.sub(r"\s+", " ", source.replace("(\n    ", "(").replace(",\n)", ")")):
        yield f"the set-up cell calls lab = {connect})"
    needs = NEEDS.get(page.number, [])
    required = re.findall(r"\d\d", " ".join(re.findall(r"labkit\.require\((.*?)\)", source)))
    if sorted(required) != needs:
        expected = f"labkit.require({', '.join(repr(one) for one in needs)})".replace("'", '"')
        yield f"the set-up cell calls {expected if needs else 'no labkit.require'}; seen: {required}"
    if 'print("Ready.")' not in source:
        yield 'the set-up ends with print("Ready.")'


def build_cells_stand_alone(page: Page) -> Iterator[str]:
    """catch_up executes parameters, set-up and build cells only, by plain exec."""
    defined: set[str] = set(dir(builtins)) | {"__name__"}
    for cell in page.code:
        try:
            tree = ast.parse(cell["source"])
        except SyntaxError as error:
            yield f"{where(cell)}: no plain Python ({error.msg}): no magics, no ! commands, no top-level await"
            return
        if not {"parameters", "setup", "build"} & set(tags(cell)):
            continue
        stored = _names(tree, ast.Store)
        for unknown in sorted(_names(tree, ast.Load) - stored - defined):
            yield (
                f"{where(cell)} is executed by catch-up and uses {unknown}, which no earlier parameters, setup or "
                "build cell defines: tag the cell that makes it build, or look it up here"
            )
        defined |= stored
    needed = any(page.number in needs for needs in NEEDS.values())
    if needed and not any("build" in tags(cell) for cell in page.code):
        yield "later notebooks need this one, but no cell carries the tag build"
    for cell in page.cells[len(page.core()) :]:
        if "build" in tags(cell):
            yield f"{where(cell)} stands in Deeper and is tagged build: nothing later needs Deeper"


def _names(tree: ast.AST, context: type) -> set[str]:
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, context)}
    if context is ast.Store:
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found.add(node.name)
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            if isinstance(node, ast.arg):
                found.add(node.arg)
            if isinstance(node, ast.ExceptHandler) and node.name:
                found.add(node.name)
    return found


def creates_survive_a_second_run(page: Page) -> Iterator[str]:
    """By the rerun pattern of 00."""
    if page.number in OWN_COPY:
        return
    looked_up: set[str] = set()
    for cell in page.code:
        try:
            tree = ast.parse(cell["source"])
        except SyntaxError:
            return
        guarded = {
            id(inner) for node in ast.walk(tree) if isinstance(node, ast.Try) and node.handlers
            for part in node.body for inner in ast.walk(part)
        }  # fmt: skip
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
        looked_up |= {node.func.attr for node in calls} | set(re.findall(r"[\"'](get_\w+)[\"']", cell["source"]))
        functions = {id(i) for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) for i in ast.walk(n)}
        for call in calls:
            verb = call.func.attr
            if verb in NAMED_CREATES and id(call) not in guarded and id(call) not in functions:
                yield (
                    f"{where(cell)}: a second run of {verb} meets an error, since AWS keeps the name unique: "
                    "try … except exactly that Code, then take the one that is there"
                )
            if verb in LOOKED_UP_CREATES and LOOKED_UP_CREATES[verb] not in looked_up:
                yield (
                    f"{where(cell)}: a second run of {verb} makes a silent duplicate, since AWS makes up the id: "
                    f"look up by name with {LOOKED_UP_CREATES[verb]} first"
                )


# --- what is asked of the learner -------------------------------------------------------------------------------------


def predictions_have_replies(page: Page) -> Iterator[str]:
    """One per notebook (11: four), three options."""
    found = predictions(page.content)
    wanted = 4 if page.number == "11" else 1
    if len(found) < wanted:
        yield f"{wanted} cell(s) tagged predict with 'answer = ...' belong here; seen: {len(found)}"
    for index, name in found.items():
        cell = page.cells[index]
        if not re.search(r"=\s*\.\.\.", cell["source"]):
            yield f"{where(cell)}: a predict cell is committed as 'answer = ...'"
        number, _, key = name.partition(".")
        judge = checks_of(number).get(key) if number else None
        if number != page.number or not isinstance(judge, Prediction):
            yield (
                f'{where(cell)}: followed by labkit.check("{page.number}.predict", answer), and in labkit/checks/'
                f'nb{page.number}.py CHECKS["predict"] = prediction(right=…, replies=…); seen: {name!r}'
            )
            continue
        before = "".join(one["source"] for one in page.cells[max(0, index - 2) : index])
        missing = [
            one for one in judge.replies if not re.search(rf"\*\*{one}\b|`{one}`|\({one}\)|^- {one}\b", before, re.M)
        ]
        if len(judge.replies) != 3 or missing:
            yield f"{where(cell)}: the question before it has three options ('- **a** …'); missing: {missing}"


def exercises_are_complete(page: Page) -> Iterator[str]:
    """Stub, check, two hints, one solution, tests."""
    found = exercises(page.content)
    names = [one.name for one in found]
    if f"{page.number}.1" not in names:
        yield f'the core exercise is a stub cell tagged exercise, with metadata.labkit.exercise = "{page.number}.1"'
    tests = ROOT / "tests" / "notebooks" / f"test_checks_{page.number}.py"
    tested = tests.read_text(encoding="utf-8") if tests.exists() else ""
    for one in found:
        number, _, key = one.name.partition(".")
        if number != page.number or not key:
            wanted = f"{page.number}.1 or {page.number}.2"
            yield f"cell {one.position}: metadata.labkit.exercise is {one.name!r}, not {wanted}"
            continue
        if "..." not in one.stub and "None" not in one.stub:
            yield f"{one.name}: the stub holds ... where the answer goes"
        if not one.check:
            yield f'{one.name}: a code cell tagged check, labkit.check("{one.name}", …), follows the stub'
        for detail in ("Hint 1", "Hint 2", "Solution"):
            if detail not in one.details:
                yield f"{one.name}: <details><summary>{detail}</summary> is missing after the check"
        if "Solution" in one.details:
            yield from _complaints_about_solution(one)
        if key not in checks_of(page.number):
            yield f'{one.name}: labkit/checks/nb{page.number}.py has no CHECKS["{key}"]'
        if one.name not in tested:
            yield f"{one.name}: {tests.relative_to(ROOT)} does not test it (see tests/notebooks/conftest.py)"
    if page.number not in TOUR and any("exercise" in tags(cell) for cell in page.core()):
        core = [cell for cell in page.core() if "exercise" in tags(cell)]
        if len(core) > 1:
            yield f"Core has one exercise, the stretch stands in Deeper; seen in Core: {len(core)}"


def _complaints_about_solution(one: Any) -> Iterator[str]:
    try:
        solution, check = ast.parse(one.solution), ast.parse(one.check)
    except (LabkitError, SyntaxError) as error:
        yield f"{one.name}: {error}"
        return
    needed = (_names(check, ast.Load) & _names(ast.parse(one.stub), ast.Store)) - {"labkit"}
    if missing := needed - _names(solution, ast.Store):
        yield f"{one.name}: the solution replaces the stub, so it must define {', '.join(sorted(missing))} too"
    text = re.sub(r"```.*?```", "", one.details["Solution"], flags=re.DOTALL)
    if "wrong" not in text.lower() and "mistake" not in text.lower():
        yield f"{one.name}: the solution names a common wrong answer"
    if not re.search(r"\bcosts?\b|\brisks?\b|\bUSD\b|\bfree\b", text, re.IGNORECASE):
        yield f"{one.name}: the solution says what it costs or risks"


def checks_belong_to_the_notebook(page: Page) -> Iterator[str]:
    """Numbers are easily copied from another notebook."""
    code = "\n".join(cell["source"] for cell in page.code)
    for call, number in re.findall(r"labkit\.(check|checkpoint)\(\s*[\"'](\d\d)", code):
        if number != page.number:
            yield f"labkit.{call} speaks of {number}; this is {page.number}"
    core = [cell for cell in page.core() if cell["cell_type"] == "code"]
    if not core or f'labkit.checkpoint("{page.number}"' not in core[-1]["source"]:
        yield f'the last code cell of Core is labkit.checkpoint("{page.number}", …), with numbers that the run measured'


# --- what is told -----------------------------------------------------------------------------------------------------


def real_aws_is_told_as_in_the_docs(page: Page) -> Iterator[str]:
    """The rows are those of docs/local-cloud.md, word for word."""
    table = rows(page.section("On real AWS"))
    if not table or table[0] != ["here", "on AWS", "how you would notice"]:
        yield "'## On real AWS' starts with the table | here | on AWS | how you would notice |"
        return
    if not 2 <= len(table) - 1 <= 4:
        yield f"'## On real AWS' has two to four rows; seen: {len(table) - 1}"
    document = (ROOT / "docs" / "local-cloud.md").read_text(encoding="utf-8")
    part = document.partition("## What the notebooks say of it")[2]
    documented = [row[1:4] for row in rows(part)[1:] if row[0] == page.number]
    for row in table[1:]:
        if row not in documented:
            yield (
                "docs/local-cloud.md, 'What the notebooks say of it', lacks this row: "
                f"| {page.number} | {' | '.join(row)} | test_that_shows_it |"
            )
    for row in documented:
        if row not in table[1:]:
            yield f"docs/local-cloud.md has a row for {page.number} that the notebook lacks: | {' | '.join(row)} |"


def the_end_shows_what_runs(page: Page) -> Iterator[str]:
    """What is running, what in production, what next."""
    running = "\n".join(cell["source"] for cell in page.part("What is running now") if cell["cell_type"] == "code")
    if "labkit.inventory()" not in running:
        yield "'## What is running now' calls labkit.inventory()"
    shown = sum("show_pipeline()" in cell["source"] for cell in page.core() if cell["cell_type"] == "code")
    if page.number not in OWN_COPY and (shown < 2 or "show_pipeline()" not in running):
        yield "labkit.show_pipeline() stands after set-up and in '## What is running now': the true state"
    recap = page.section("Recap")
    if "In production you would also" not in recap:
        yield "the recap has a sentence 'In production you would also …'"
    following = FILES[FILES.index(page.path.name) + 1 :] if page.path.name in FILES else []
    if following and f"]({following[0]})" not in recap:
        yield f"the recap links to the next notebook: [..]({following[0]})"
    if page.number != "99" and "](99_clean_up.ipynb)" not in recap:
        yield "the recap points to [99 …](99_clean_up.ipynb)"


def code_is_short(page: Page) -> Iterator[str]:
    """A cell that does not fit on a projector is not read."""
    for cell in page.code:
        lines = [line for line in cell["source"].splitlines() if line.strip()]
        if len(lines) > 25:
            yield f"{where(cell)} has {len(lines)} lines: 25 at most, 15 for a call that is taught"
    aside = {"parameters", "setup", "check", "predict", "exercise"}
    core = [cell for cell in page.core() if cell["cell_type"] == "code" and not aside & set(tags(cell))]
    if page.number not in TOUR and len(core) > 20:
        yield f"Core has {len(core)} code cells beside parameters, set-up, prediction and exercise: 20 at most"
    if page.number in TOUR:
        return
    words = len(re.findall(r"\w+(?:['’-]\w+)*", page.prose))
    folded = [cell["id"] for cell in page.code if cell["metadata"].get("jupyter", {}).get("source_hidden")]
    read = [cell for cell in page.code if not {"parameters", "setup"} & set(tags(cell)) and cell["id"] not in folded]
    lines, to_read = lines_of_code(page.code), lines_of_code(read)
    if lines and not 9 * to_read <= words <= 25 * lines:
        yield f"{words / lines:.1f} words of prose per line of code ({words}/{lines}, {to_read} to be read): 9 to 25"


def code_needs_no_sideways_scrolling(page: Page) -> Iterator[str]:
    """Beside a prompt at 150 % there is room for WIDEST characters; a folded cell is opened by few."""
    if page.number in TOUR:
        return
    open_cells = [cell for cell in page.code if not cell["metadata"].get("jupyter", {}).get("source_hidden")]
    fences = re.findall(r"^```python\n(.*?)^```", page.text, re.DOTALL | re.MULTILINE)
    seen = [(where(cell), cell["source"]) for cell in open_cells] + [("a solution", fence) for fence in fences]
    for place, source in seen:
        for line in source.splitlines():
            if len(line) > WIDEST:
                yield f"{place}: a line of {len(line)} characters, {WIDEST} at most: {line.strip()[:50]!r}"


def lines_of_code(cells: list[dict[str, Any]]) -> int:
    """Without comments, empty lines, and those of brackets alone."""
    code = [line.strip() for cell in cells for line in cell["source"].splitlines()]
    return sum(not line.startswith("#") and bool(re.search(r"\w", line)) for line in code)


def nothing_banned_is_used(page: Page) -> Iterator[str]:
    """Installing, asking, waiting, addresses of one machine."""
    for cell in page.cells:
        source = re.sub(r"\([^)]*\)", "", cell["source"]) if cell["cell_type"] == "markdown" else cell["source"]
        for pattern, reason in BANNED.items():
            if found := re.search(pattern, cell["source"] if "src|href" in pattern else source, re.MULTILINE):
                yield f"{where(cell)}: {found[0]!r}: {reason}"


def links_lead_somewhere(page: Page) -> Iterator[str]:
    """Relative links only, to what exists."""
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.prose):
        if re.match(r"https?:", target):
            continue
        if target not in FILES and not (FOLDER / target).exists():
            yield f"the link to {target} leads nowhere"


def scaled_time_has_both_columns(page: Page) -> Iterator[str]:
    """Whatever the time scale touches shows what AWS would take."""
    code = "\n".join(cell["source"] for cell in page.code)
    if "time_scale" in code and not ("measured" in code and "on AWS" in code):
        yield "labkit.time_scale() is used, so the table or figure has two columns: 'measured' and 'on AWS'"
    if re.search(r"save_figure|savefig", code) and "labkit.projector" not in code:
        yield 'figures are drawn with plt.style.use("labkit.projector")'
    if "savefig(" in code:
        yield "figures are saved by labkit.save_figure(figure, name, caption=…): it adds cloud and time scale"


def invocations_are_named(page: Page) -> Iterator[str]:
    """From 03 to 10: the row of the card, and which kind of invocation this is."""
    if page.number not in [f"{one:02d}" for one in range(3, 11)]:
        return
    if not re.search(r"who holds|holds the event", page.text, re.IGNORECASE):
        yield "03 to 10 end with their row of the invocation card (course.md §3): who holds the event while it fails …"
    if not re.search(r"synchronous|asynchronous|poll-based", page.text):
        yield "from 03 on the notebook says plainly which invocation this is: synchronous, asynchronous or poll-based"


def terms_come_in_their_notebook(page: Page) -> Iterator[str]:
    """The concept ledger: no term before the notebook that introduces it; there it links to the glossary."""
    if page.number in TOUR:
        return
    for term, introduced in glossary():
        pattern = rf"(?<![\w`-]){re.escape(term)}(?:s|es)?(?![\w-])"
        as_term = rf"\*\*{re.escape(term)}s?\*\*|\[{re.escape(term)}s?\]\([^)]*glossary\.md"
        if page.number < introduced:
            text = page.prose if term in EVERYDAY else re.sub(r"https?://\S+|\]\([^)]*\)", "]", page.prose)
            found = re.search(as_term if term in EVERYDAY else pattern, text, re.IGNORECASE)
            if found:
                line = text[: found.start()].rpartition("\n")[2] + text[found.start() :].partition("\n")[0]
                yield f"'{found[0]}' is introduced in {introduced}; here it comes too early: {line.strip()[:90]!r}"
        elif page.number == introduced and not re.search(
            rf"\[[^\]]*{re.escape(term)}[^\]]*\]\(\.\./docs/glossary\.md(#[\w-]+)?\)", page.text, re.IGNORECASE
        ):
            yield f"'{term}' is introduced here: link its first use, [{term}](../docs/glossary.md)"


def glossary() -> list[tuple[str, str]]:
    """Term and the notebook that introduces it, from docs/glossary.md."""
    document = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    found = []
    for row in rows(document.partition("## Terms")[2])[1:]:
        for term in row[0].split(", "):
            if re.fullmatch(r"\d\d", row[1]):
                found.append((re.sub(r" \(.*\)", "", term), row[1]))
    return found


RULES: list[Callable[[Page], Iterator[str]]] = [
    file_is_clean, file_belongs_to_the_course, headings_are_in_order, facts_table_is_complete, objectives_come_back,
    yesterday_is_asked, diagrams_have_text, parameters_are_the_five, setup_connects_and_requires,
    build_cells_stand_alone, creates_survive_a_second_run, predictions_have_replies, exercises_are_complete,
    checks_belong_to_the_notebook, real_aws_is_told_as_in_the_docs, the_end_shows_what_runs, code_is_short,
    code_needs_no_sideways_scrolling, nothing_banned_is_used, links_lead_somewhere, scaled_time_has_both_columns,
    invocations_are_named, terms_come_in_their_notebook,
]  # fmt: skip
PAGES = [Page(path) for path in sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_lint(page, rule):
    """What is wrong, where, and what to do."""
    complaints = list(rule(page))

    assert not complaints, f"{page.path.name}, {rule.__name__}:\n- " + "\n- ".join(complaints)


def test_no_letter_is_right_so_often_that_it_is_worth_a_guess():
    """Whoever has learnt that it is always b predicts nothing any more."""
    checks = [check for number in COURSE for check in checks_of(number).values() if isinstance(check, Prediction)]
    letters = Counter(check.right for check in checks)

    assert set(letters) == set("abc")
    assert max(letters.values()) < len(checks) / 2, letters
