"""Whoever follows a link in the documents arrives; whoever types a command that they quote is understood."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import typer

from labkit.cli import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *sorted(ROOT.glob("notebooks/[0-9][0-9]_*.ipynb"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def markdown(path: Path) -> str:
    """Return a document's Markdown; of a notebook that of its text cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    return "\n\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")


def anchors(path: Path) -> set[str]:
    """Return what can stand after the ``#``: headings as GitHub and JupyterLab name them, and explicit anchors."""
    text = FENCE.sub("", markdown(path))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)"></a>', text))


def broken_links(path: Path) -> list[str]:
    """Return the relative links that lead nowhere."""
    text = FENCE.sub("", markdown(path))
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists():
            found.append(f"{link}: there is no {name}")
        elif anchor and target.exists() and anchor not in anchors(target):
            found.append(f"{link}: {target.name} has no anchor {anchor}")
    return found


def quoted_commands(text: str) -> list[str]:
    """Return the ``labkit …`` commands of a document, from code spans and from shell fences."""
    commands = re.findall(r"`(labkit [^`\n]+)`", FENCE.sub("", text))
    for language, block in FENCE.findall(text):
        if language in ("sh", "powershell", "bash", "yaml"):
            commands += re.findall(r"(?:^|\$\(|[\\/]|run: |=\d+ )(labkit [^\n#)]*)", block, re.MULTILINE)
    return [command.strip() for command in commands]


def complaint(command: str) -> str:
    """Return what the command line says of a quoted command; ``""`` when it takes it."""
    words = [word for word in shlex.split(re.sub(r"\$\{\{.*?\}\}", "7", command))[1:] if word != "…"]
    commands = vars(typer.main.get_command(app))["commands"]
    if not words or words[0] == "--help":
        return ""
    if words[0] not in commands:
        return f"there is no command {words[0]!r}"
    try:
        commands[words[0]].make_context(words[0], words[1:])
    except Exception as error:  # typer brings a click of its own: its classes have no public name
        kind = type(error).__name__
        # --help ends by Exit; a missing argument means that the command is named, not to be typed as it stands.
        return "" if kind in ("Exit", "MissingParameter") else f"{kind}: {error}"
    return ""


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(path):
    """A dead link on the first page costs more trust than a missing page."""
    assert broken_links(path) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_quoted_command_is_taken_as_it_stands(path):
    """Commands in documents are copied."""
    wrong = {command: said for command in quoted_commands(markdown(path)) if (said := complaint(command))}
    assert wrong == {}


def test_the_readme_lists_every_notebook_by_its_title():
    """It is the table of contents; a notebook that is not in it does not exist for a stranger."""
    listed = dict(
        re.findall(r"\[([^\]]+)\]\(notebooks/(\w+\.ipynb)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    )
    titles = {
        re.search(r"^# \d\d · (.+)$", markdown(path), re.MULTILINE)[1]: path.name
        for path in DOCUMENTS
        if path.suffix == ".ipynb"
    }

    assert listed == titles


def test_the_test_of_commands_sees_a_wrong_command_and_a_wrong_option(tmp_path):
    """A check that never fails is none."""
    page = tmp_path / "page.md"
    page.write_text("`labkit catch_up 06` and [this](nowhere.md)\n```sh\nlabkit run --all\nlabkit up\n```\n")

    commands = quoted_commands(markdown(page))
    assert commands == ["labkit catch_up 06", "labkit run --all", "labkit up"]
    assert [bool(complaint(command)) for command in commands] == [True, True, False]
    assert broken_links(page) == ["nowhere.md: there is no nowhere.md"]
