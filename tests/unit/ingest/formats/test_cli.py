"""`vigie template`: what its author sees."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from ingest.formats.catalogue import SHIPPED
from ingest.formats.cli import template
from ingest.ports import VigieError

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

RECEIVED = ["--received", "2026-11-24T03:00:05Z"]
PATCH = str(SHIPPED / "acme-patch.toml")
SAMPLE = {
    "kind": "vitals",
    "msg": 12,
    "samples": [{"t": 1795489200000, "hr": 72, "rr": 255, "temp": {"v": 98.6, "u": "F"}}],
}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(template, arguments, env={"COLUMNS": "140"})


def sample(tmp_path: Path, content: object) -> str:
    file = tmp_path / "sample.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return str(file)


def test_a_sample_is_followed_step_by_step(tmp_path: Path) -> None:
    done = run("try", PATCH, sample(tmp_path, SAMPLE), *RECEIVED, "--json")
    assert done.exit_code == 1, "something was refused"
    found = json.loads(done.output)
    steps = {step["at"]: (step["gave"], step["came"]) for step in found["steps"]}
    assert steps["samples[0].hr"] == ("72", "kept: 72 /min")
    assert steps["samples[0].rr"] == ("255", "refused: absent")
    assert steps["samples[0].temp.v"] == ("98.6", "kept: [degF] -> 37 Cel")
    assert steps["samples[0].temp.u"] == ('"F"', "")
    assert steps["samples[0].t"] == ("1795489200000", "2026-11-24T03:00:00+00:00")
    assert steps["samples"][1] == "1 elements"
    assert steps["msg"] == ("12", "")
    assert found["seq"] == 12
    assert found["kept"][0]["values"] == {"heart_rate": 72.0, "temperature": 37.0}
    assert found["refused"] == [{"reason": "absent", "at": "samples[0].rr"}]


def test_a_sample_that_is_taken_whole_exits_with_0(tmp_path: Path) -> None:
    good = {**SAMPLE, "samples": [{"t": 1795489200000, "hr": 30, "rr": 15}]}
    done = run("try", PATCH, sample(tmp_path, good), *RECEIVED)
    assert done.exit_code == 0, done.output
    assert "seq 12; 2 values kept, 0 refusals" in done.output
    assert "nothing there" in done.output


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"kind": "event"}, "refused: no-match"),
        ({"kind": "vitals", "samples": [{"t": 1, "hr": 72}]}, "refused: bad-seq"),
        ({"kind": "vitals", "msg": 1, "samples": {"t": 1}}, "refused: bad-readings"),
        ({"kind": "vitals", "msg": 1, "samples": [{"t": 1, "hr": 72}]}, "refused: time-too-old"),
        ({"kind": "vitals", "msg": 1, "samples": [{"hr": 72}]}, "its time or unit was refused"),
        (7, "refused: not-an-object"),
    ],
)
def test_why_nothing_is_kept_is_told(tmp_path: Path, content: object, why: str) -> None:
    done = run("try", PATCH, sample(tmp_path, content), *RECEIVED)
    assert done.exit_code == 1
    assert why in done.output
    assert "0 values kept" in done.output


def test_an_expression_that_cannot_be_applied_says_why(tmp_path: Path) -> None:
    cuff = str(SHIPPED / "home-cuff.toml")
    done = run("try", cuff, sample(tmp_path, {"model": 5, "result": []}), *RECEIVED, "--json")
    [match, *_, whole] = json.loads(done.output)["steps"]
    assert match["at"] == "starts_with(model, 'HC-') && result"
    assert match["came"].startswith("cannot be applied: In function starts_with(), invalid type")
    assert whole["came"] == "refused: no-match"
    assert done.exit_code == 1


def test_a_value_that_is_doubtful_is_shown_as_such(tmp_path: Path) -> None:
    slow = {**SAMPLE, "samples": [{"t": 1795489200000, "hr": 15}]}
    done = run("try", PATCH, sample(tmp_path, slow), *RECEIVED)
    assert "kept: 15 /min, marked SUSPECT" in done.output


def test_check_names_each_fault_and_exits_with_1(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("name = 'x'\n", encoding="utf-8")
    done = run("check", PATCH, str(bad))
    assert done.exit_code == 1
    assert "acme-patch.toml: acme-patch: fine" in done.output
    assert "bad.toml: missing key `description`" in done.output
    told = json.loads(run("check", str(bad), "--json").output)
    assert told[0]["name"] is None
    assert run("check", PATCH).exit_code == 0


def test_list_shows_the_shipped_and_the_site_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (SHIPPED / "acme-patch.toml").read_text(encoding="utf-8")
    (tmp_path / "own.toml").write_text(text.replace("acme-patch", "own"), encoding="utf-8")
    monkeypatch.setenv("VIGIE_TEMPLATES", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    assert "raw/own" in run("list").output
    names = [one["name"] for one in json.loads(run("list", "--json").output)]
    assert names == ["acme-patch", "home-cuff", "own", "ward-tablet"]


@pytest.mark.parametrize("received", ["yesterday", "2026-11-24T03:00:00"])
def test_a_time_of_receipt_that_is_none_is_refused(tmp_path: Path, received: str) -> None:
    done = run("try", PATCH, sample(tmp_path, SAMPLE), "--received", received)
    assert isinstance(done.exception, VigieError)
    assert "--received" in str(done.exception)


def test_a_sample_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = run("try", PATCH, str(tmp_path / "none.json"))
    assert isinstance(done.exception, VigieError)
    assert "cannot be read" in str(done.exception)
