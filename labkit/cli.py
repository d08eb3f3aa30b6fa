"""The command ``labkit``."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from labkit import course, local_process
from labkit.exceptions import LabkitError

COULD_NOT_START = 2

app = typer.Typer(
    help="Build a serverless application on a local cloud, or on AWS.",
    epilog="Begin with: labkit lab",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command; an error of labkit is one clear sentence."""
    try:
        app()
    except LabkitError as error:
        print(f"labkit: {error}", file=sys.stderr)
        sys.exit(COULD_NOT_START if "did not start" in str(error) else 1)
    except Exception as error:
        if not type(error).__module__.startswith("botocore."):  # what a cloud, or the way there, said
            raise
        print(f"labkit: {error}", file=sys.stderr)
        sys.exit(1)


@app.command()
def up(
    *,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="0 picks a free one; without it 4566, or a free one")
    ] = None,
    state_dir: Annotated[Path | None, typer.Option(help="where keys, logs and mails live")] = None,
    time_scale: Annotated[float | None, typer.Option(help="divides the waits that AWS fixes; 60 if not given")] = None,
    smtp: Annotated[str | None, typer.Option(help="HOST:PORT of a mail relay")] = None,
    max_environments: Annotated[int | None, typer.Option(min=1, help="processes per function; 4 if not given")] = None,
    allow_host: Annotated[list[str] | None, typer.Option(help="a further Host name to answer to")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="begin empty, and forget what was there")] = False,
    keep: Annotated[bool, typer.Option(help="keep what is there for the next time")] = True,
) -> None:
    """Start the local cloud, unless it runs; it goes on from where it ended."""
    options: list[str] = []
    for option, value in (
        ("--port", port),
        ("--time-scale", time_scale),
        ("--smtp", smtp),
        ("--max-environments", max_environments),
    ):
        options += [option, str(value)] if value is not None else []
    for host in allow_host or []:
        options += ["--allow-host", host]
    options += ["--reset"] * reset + ["--no-state"] * (not keep)
    folder = state_dir and state_dir.absolute()
    ran_before = local_process.find(folder) is not None and not reset
    described = local_process.start(folder, options)
    print(f"labkit's local cloud is ready on {described['endpoint']} (pid {described['pid']})")
    if ran_before and options:
        print(
            "it ran before, and options count when it starts: labkit down (everything in it is kept), "
            "then labkit up again"
        )


@app.command()
def down(state_dir: Annotated[Path | None, typer.Option(help="its state directory")] = None) -> None:
    """End the local cloud and every function process."""
    print(
        "the local cloud has ended" if local_process.stop(state_dir and state_dir.absolute()) else "no local cloud runs"
    )


@app.command()
def status() -> None:
    """Tell whether the local cloud runs, and what it has."""
    described = local_process.find()
    if described is None:
        print(f"no local cloud runs on {local_process.state_dir()}; start it with: labkit up")
        raise typer.Exit(1)
    answer = local_process.health(described) or {}
    print(f"running on {described['endpoint']} (pid {described['pid']}), for {answer.get('uptime_seconds')} s")
    print(f"  inbox                {local_process.page_url(described, 'inbox')}")
    print(f"  live map             {local_process.page_url(described, 'map')}")
    for part, facts in answer.get("parts", {}).items():
        print(f"  {_words(part):<21}{', '.join(_fact(name, value) for name, value in facts.items())}")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _fact(name: str, value: object) -> str:
    """Return a count as ``2 queues`` and anything else as ``backends: ready``."""
    counted = isinstance(value, int) and name != "smtp_port"
    return f"{value} {_words(name)}" if counted else f"{_words(name)}: {value}"


@app.command()
def logs(follow: Annotated[bool, typer.Option("--follow", "-f", help="go on with what comes")] = False) -> None:
    """Show the log: one line per API call, request and batch."""
    path = local_process.state_dir() / "local.log"
    if not path.exists():
        raise LabkitError(f"there is no log at {path}; start the local cloud with: labkit up")
    with path.open(encoding="utf-8", errors="replace") as log:
        while True:
            text = log.read()
            print(text, end="", flush=True)
            if not follow:
                return
            time.sleep(0.2)


@app.command()
def env(
    output: Annotated[str, typer.Option("--format", help="sh, powershell or json")] = "sh",
) -> None:
    """Print what other tools need to reach the local cloud: eval "$(labkit env)"."""
    described = local_process.find()
    if described is None:
        raise LabkitError("no local cloud runs; start it with: labkit up")
    values = {
        "AWS_ENDPOINT_URL": described["endpoint"],
        "AWS_ACCESS_KEY_ID": described["access_key"],
        "AWS_SECRET_ACCESS_KEY": described["secret_key"],
        "AWS_DEFAULT_REGION": os.environ.get("LABKIT_REGION", "us-east-1"),
    }
    if output == "json":
        print(json.dumps(values, indent=2))
    elif output in ("sh", "powershell"):
        form = "export {}='{}'" if output == "sh" else "$env:{} = '{}'"
        print("\n".join(form.format(name, value) for name, value in values.items()))
    else:
        raise LabkitError(f"--format is {output!r}; choose sh, powershell or json")


@app.command()
def run(
    notebooks: Annotated[list[str] | None, typer.Argument(help="numbers or names; all without one")] = None,
    *,
    lab_id: Annotated[str, typer.Option(help="the LAB_ID of the run")] = "run",
    size: Annotated[str, typer.Option(help="small or normal")] = "small",
    out: Annotated[Path, typer.Option(help="where executed notebooks and HTML go")] = Path("build"),
    junit: Annotated[Path | None, typer.Option(help="write JUnit XML to this file")] = None,
    timeout: Annotated[int, typer.Option(help="longest time for one cell, in seconds")] = 120,
    parameter: Annotated[list[str] | None, typer.Option("--parameter", "-p", help="NAME=VALUE")] = None,
    solved: Annotated[bool, typer.Option("--solved", help="put the solutions in; a wrong one fails")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="remove everything of the lab first")] = False,
) -> None:
    """Run notebooks headless; exit 0 all passed, 1 one failed, 2 could not start."""
    from labkit import notebook_run, run_report

    os.environ["LABKIT_STATE_DIR"] = str(local_process.state_dir())
    with local_process.as_before():
        try:
            parameters = {"LAB_ID": lab_id, "SIZE": size, **_pairs(parameter or [])}
            cloud = notebook_run.check_parameters(parameters)["cloud"]
            chosen = notebook_run.find_notebooks(course.notebooks_folder(), notebooks or [])
            notebook_run.make_folder(out)
            if cloud == "local":
                local_process.start()
            if fresh:
                notebook_run.remove_lab(parameters)
        except LabkitError as error:
            print(f"labkit: {error}", file=sys.stderr)
            raise typer.Exit(COULD_NOT_START) from error
        results = notebook_run.run_notebooks(chosen, out=out, parameters=parameters, timeout=timeout, solved=solved)
    run_report.print_table(results, out)
    (out / "results.json").write_text(json.dumps(run_report.as_facts(results), indent=2), encoding="utf-8")
    if junit:
        run_report.write_junit(results, junit)
    print(run_report.last_line(results))
    raise typer.Exit(run_report.exit_code(results))


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise LabkitError(f"--parameter takes NAME=VALUE, not {text!r}")
        pairs[name] = value
    return pairs


@app.command()
def doctor(
    *,
    for_class: Annotated[
        bool, typer.Option("--class", help="the day before a class: browser, wheelhouse, one full headless run too")
    ] = False,
) -> None:
    """Look whether this computer is fit for the course; exit 1 when something is wrong."""
    from labkit.doctor import examine, report

    with local_process.as_before():
        if not for_class:
            raise typer.Exit(not report(examine()))
        from labkit.class_check import examine_class, verdict

        findings = examine_class()
    fine = report(findings)
    print(verdict(findings))
    raise typer.Exit(not fine)


@app.command()
def lab(
    options: Annotated[list[str] | None, typer.Argument(help="behind --: options of jupyter lab")] = None,
    *,
    browser: Annotated[bool, typer.Option(help="open a browser; the address is printed in any case")] = True,
    remote: Annotated[bool, typer.Option("--remote", help="the browser is on another computer")] = False,
) -> None:
    """Open JupyterLab on the first notebook, with the local cloud up; what this starts, it ends."""
    from labkit import jupyter_lab
    from labkit.restore import keep_originals

    keep_originals()
    raise typer.Exit(jupyter_lab.serve(options or [], browser=browser, remote=remote))


@app.command(name="catch-up")
def catch_up(
    number: Annotated[str, typer.Argument(help="the notebook you want to open next, such as 06")],
    fresh: Annotated[bool, typer.Option("--fresh", help="remove everything of the lab first")] = False,
    lab_id: Annotated[str | None, typer.Option(help="the lab")] = None,
) -> None:
    """Build what a notebook needs, in seconds."""
    from labkit.catch_up import catch_up as build
    from labkit.cloud import connect

    connect(lab_id=lab_id)
    build(number, fresh=fresh)


@app.command()
def restore(number: Annotated[str, typer.Argument(help="the notebook, such as 06")]) -> None:
    """Put the original of a notebook back; your own stays beside it."""
    from labkit.restore import restore as put_back

    kept = put_back(number)
    name = kept.name.partition("-mine-")[0].removesuffix(".ipynb") + ".ipynb"
    print(f"{name} is the original" + (f" again; yours is {kept.name}" if kept.name != name else ""))


@app.command()
def progress() -> None:
    """Show what is done, and what comes next."""
    from labkit.progress import progress as table

    print(table().to_string(index=False))


@app.command()
def bench(
    peer: Annotated[str | None, typer.Option(help="ministack: measured beside labkit in the same run")] = None,
    visits: Annotated[int, typer.Option(help="visits of the throughput run")] = 1000,
    samples: Annotated[int, typer.Option(help="single visits of the latency run")] = 50,
    growth: Annotated[bool, typer.Option("--growth", help="send ten times as many visits afterwards")] = False,
) -> None:
    """Measure start, deployment, latency, throughput and memory."""
    from labkit import bench as benchmark

    if peer is not None and peer not in benchmark.PEERS:
        raise LabkitError(f"--peer is {peer!r}; labkit can be measured beside: {', '.join(benchmark.PEERS)}")
    for variant in ("one-by-one", "committed"):
        figures: dict[str, Any] = benchmark.measure(
            variant, peer, visits=visits, samples=samples, growth=growth and variant == "committed"
        )
        benchmark.print_figures(variant, figures)


@app.command()
def inventory(lab_id: Annotated[str | None, typer.Option(help="the lab")] = None) -> None:
    """List what exists of a lab."""
    from labkit.cloud import connect
    from labkit.inventory import inventory as listed

    connect(lab_id=lab_id)
    found = listed()
    print(found.to_string(index=False) if len(found) else "nothing exists of this lab")


@app.command()
def cleanup(
    lab_id: Annotated[str | None, typer.Option(help="the lab")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="delete; needed on AWS")] = False,
    older_than: Annotated[str | None, typer.Option(help="every lab untouched for so long: 90m, 6h, 2d")] = None,
    prefix: Annotated[str, typer.Option(help="with --older-than: only labs whose id begins so, such as ci-")] = "",
) -> None:
    """Delete everything of a lab, and prove that nothing is left.

    With --older-than it is the janitor: it takes every lab whose youngest resource is older than that.
    """
    from labkit.cleanup import cleanup as clean
    from labkit.cleanup import old_labs
    from labkit.cloud import connect

    if older_than is None:
        if prefix:
            raise LabkitError("--prefix belongs to --older-than; to clean one lab use: labkit cleanup --lab-id LAB_ID")
        connect(lab_id=lab_id)
        clean(yes=yes)
        return
    if lab_id is not None:
        raise LabkitError("--lab-id names one lab and --older-than finds them; use one of the two")
    age = _duration(older_than)
    connect()
    found = [lab for lab in old_labs(age) if lab.startswith(prefix)]
    print(f"{len(found)} labs are older than {older_than}: {', '.join(found) or 'none'}")
    for lab in found:
        clean(yes=yes, lab_id=lab)


def _duration(text: str) -> timedelta:
    units = {"m": "minutes", "h": "hours", "d": "days"}
    if len(text) < 2 or text[-1] not in units or not text[:-1].isdecimal():
        raise LabkitError(f"--older-than is {text!r}; write a number and a unit: 90m, 6h, 2d")
    return timedelta(**{units[text[-1]]: int(text[:-1])})


if __name__ == "__main__":
    main()
