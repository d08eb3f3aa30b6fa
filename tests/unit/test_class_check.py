"""Go or no-go, the day before a class."""

from __future__ import annotations

import sys
import threading

import pytest

from labkit import class_check
from labkit.class_check import examine_class, verdict, wheelhouse
from labkit.doctor import Finding


def test_a_wheelhouse_is_compared_with_the_lock(tmp_path):
    """Missing, half full, full; markers of other systems do not count."""
    (tmp_path / "requirements.lock").write_text("one==1.0\ntwo-three==2.0\nwin==1 ; sys_platform == 'nowhere'\n")
    missing = wheelhouse(tmp_path)
    (tmp_path / "wheelhouse").mkdir()
    (tmp_path / "wheelhouse" / "one-1.0-py3-none-any.whl").touch()
    half = wheelhouse(tmp_path)
    (tmp_path / "wheelhouse" / "two_three-2.0-py3-none-any.whl").touch()

    assert "there is no folder wheelhouse" in missing
    assert half.startswith("1 of 2 packages are not in it, such as two-three==2.0; fill it: pip download")
    assert wheelhouse(tmp_path) == ""


def test_without_a_browser_the_remedies_are_named(monkeypatch):
    """A server in a rack has none."""
    monkeypatch.setattr(class_check.shutil, "which", lambda name: None)
    monkeypatch.setattr(class_check.sys, "platform", "linux")

    def none():
        raise class_check.webbrowser.Error

    monkeypatch.setattr(class_check.webbrowser, "get", none)
    assert "LABKIT_PUBLIC_URL" in class_check.browser()
    monkeypatch.setattr(class_check.shutil, "which", lambda name: name)
    assert class_check.browser() == ""


@pytest.mark.parametrize(("failure", "line"), [("", "GO: "), ("FAILED: 05_queue, cell 7: x", "NO-GO: 1 to mend")])
def test_the_run_decides(monkeypatch, failure, line):
    """A class needs a run that passed on this computer."""
    monkeypatch.setattr(class_check, "examine", list)
    monkeypatch.setattr(class_check, "browser", lambda: "")
    monkeypatch.setattr(class_check, "wheelhouse", lambda checkout: "")

    findings = examine_class(run=lambda: failure)

    assert findings[-1].problem == failure
    assert verdict(findings).startswith(line)


def test_what_the_run_says_is_seen_while_it_runs(capfd):
    """Some minutes of silence look like a program that hangs."""
    code = "print('[1/2] 00 passed', flush=True); print('FAILED: 01, cell 7', flush=True); raise SystemExit(1)"

    assert class_check.last_line_of_failure([sys.executable, "-c", code]) == "FAILED: 01, cell 7"
    assert class_check.last_line_of_failure([sys.executable, "-c", ""]) == ""
    assert capfd.readouterr().out == "  [1/2] 00 passed\n  FAILED: 01, cell 7\n"


def test_a_run_that_takes_too_long_is_ended_and_ctrl_c_waits_for_nothing(monkeypatch):
    """Half an hour after Ctrl-C the prompt would come back."""
    monkeypatch.setattr(class_check, "RUN_SECONDS", 0.5)
    slow = [sys.executable, "-c", "import time; print('so far', flush=True); time.sleep(60)"]

    assert class_check.last_line_of_failure(slow).startswith("not finished after")

    monkeypatch.setattr(class_check, "RUN_SECONDS", 1800)
    monkeypatch.setattr(class_check, "_told", lambda line: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        class_check.last_line_of_failure([sys.executable, "-c", "print('so far')"])
    assert [one for one in threading.enumerate() if isinstance(one, threading.Timer) and not one.daemon] == []


def test_a_sick_computer_is_not_kept_busy_with_a_run(monkeypatch):
    """First things first."""
    monkeypatch.setattr(class_check, "examine", lambda: [Finding("free memory", "too little")])
    findings = examine_class(run=lambda: pytest.fail("it ran"))

    assert findings[-1].problem.startswith("not tried")
