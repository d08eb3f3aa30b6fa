"""Settings: chosen once, then as given, of the environment, as kept, or the default."""

from __future__ import annotations

import json

import pytest

from labkit.exceptions import LabkitError
from labkit.settings import DEFAULTS, choose_settings, resolve_settings

NOTHING = dict.fromkeys(DEFAULTS)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """A state directory without settings."""
    monkeypatch.setenv("LABKIT_STATE_DIR", str(tmp_path))
    for key in DEFAULTS:
        monkeypatch.delenv(f"LABKIT_{key.upper()}", raising=False)
    return tmp_path


def test_a_parameter_comes_before_the_environment_before_what_is_kept_before_the_default(monkeypatch):
    """Papermill's value wins, and nothing has to be chosen."""
    seen = [resolve_settings(NOTHING)["lab_id"]]
    choose_settings(lab_id="kept")
    seen.append(resolve_settings(NOTHING)["lab_id"])
    monkeypatch.setenv("LABKIT_LAB_ID", "environment")
    seen.append(resolve_settings(NOTHING)["lab_id"])
    seen.append(resolve_settings(NOTHING | {"lab_id": "given"})["lab_id"])

    assert seen == ["lab", "kept", "environment", "given"]


def test_choosing_one_setting_keeps_the_others(state):
    """00 may be run twice."""
    choose_settings(email="ada@example.org")
    chosen = choose_settings(size="small")

    assert chosen == DEFAULTS | {"email": "ada@example.org", "size": "small"}
    assert json.loads((state / "settings.json").read_text()) == {"email": "ada@example.org", "size": "small"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"cloud": "azure"}, "CLOUD is 'azure'; choose one of: local, endpoint, aws"),
        ({"lab_id": "Not Good"}, "LAB_ID is 'Not Good'; use 2 to 20 lower-case letters"),
        ({"lab_id": 42}, "LAB_ID is 42, a int; it must be text in quotes"),
        ({"region": "mars"}, "REGION is 'mars'; a region looks like us-east-1"),
        ({"email": "nobody"}, "EMAIL is 'nobody'; an address looks like"),
        ({"size": "huge"}, "SIZE is 'huge'; choose one of: small, normal"),
        ({"cloud": "aws"}, "choose a LAB_ID of your own"),
        ({"cloud": "aws", "lab_id": "ada"}, "EMAIL is the placeholder"),
    ],
)
def test_a_value_that_cannot_work_is_refused_with_what_is_allowed(given, sentence, state):
    """Papermill passes whatever was typed; and nothing wrong is kept."""
    with pytest.raises(LabkitError, match=sentence):
        resolve_settings(NOTHING | given)
    with pytest.raises(LabkitError, match=sentence):
        choose_settings(**given)
    assert not (state / "settings.json").exists()


def test_a_broken_file_says_what_to_do(state):
    """It is a file that people edit."""
    (state / "settings.json").write_text("{")
    with pytest.raises(LabkitError, match=r"cannot be read .* mend or delete it"):
        resolve_settings(NOTHING)
