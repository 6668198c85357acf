"""Vendor JSON by template: faults are found at load, and a message never raises."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jmespath
import pytest

from ingest.formats.paths import ExpressionRefused, Path, Unanswered
from ingest.formats.template import LOOKS, Template, from_file, from_folder
from ingest.formats.template_file import TemplateRefused
from ingest.formats.vigie_json import READINGS
from ingest.readings import Original, Vital

if TYPE_CHECKING:
    import pathlib

    from ingest.formats.port import Decoded

NOW = datetime(2026, 11, 24, 3, 0, 5, tzinfo=UTC)
TIME = "2026-11-24T03:00:00Z"
HEAD = """
name = "acme"
description = "for the tests"
match = "kind == 'vitals'"
"""
RFC3339 = """
[time]
value = "at"
form = "rfc3339"
"""
PULSE = """
[[vitals]]
vital = "heart_rate"
value = "hr"
unit = "/min"
"""


def template(tmp_path: pathlib.Path, text: str) -> Template:
    file = tmp_path / "acme.toml"
    file.write_text(text, encoding="utf-8")
    return from_file(file)


def read(found: Template, message: Any, received: datetime = NOW) -> Decoded:
    return found.decode(json.dumps(message).encode(), "dev-1", received)


def told(decoded: Decoded) -> list[tuple[str, str]]:
    return [(one.at, one.reason.value) for one in decoded.refused]


def test_a_list_of_samples_comes_by_element_with_its_units(tmp_path: pathlib.Path) -> None:
    found = template(
        tmp_path,
        HEAD
        + 'seq = "n"\neach = "samples"\n'
        + '[time]\nvalue = "t"\nform = "unix-milliseconds"\n'
        + PULSE
        + 'absent = [-1, 255]\n[[vitals]]\nvital = "temperature"\nvalue = "temp.v"\n'
        + 'unit = { value = "temp.u", table = { C = "Cel", F = "[degF]" } }\n',
    )
    t = int((NOW - timedelta(seconds=5)).timestamp() * 1000)
    decoded = read(
        found,
        {
            "kind": "vitals",
            "n": 12,
            "battery": {"vendor": "adds fields as it pleases"},
            "samples": [
                {"t": t, "hr": 72, "temp": {"v": 98.6, "u": "F"}},
                {"t": t + 250, "hr": 255, "temp": {"v": 36.9, "u": "C"}},
                {"t": t + 500, "hr": 500, "temp": {"v": 36.9, "u": "Kelvin"}},
                {"t": t + 750, "hr": "72", "temp": {"v": 36.9}},
                {"temp": None},
            ],
        },
    )
    assert decoded.seq == 12
    first, second = decoded.instants
    assert decoded.places == ["samples[0]", "samples[1]"]
    assert first.values == {Vital.HEART_RATE: 72.0, Vital.TEMPERATURE: 37.0}
    assert first.original == {Vital.TEMPERATURE: Original(98.6, "[degF]")}
    assert second.values == {Vital.TEMPERATURE: 36.9}
    assert second.time - first.time == timedelta(milliseconds=250)
    assert told(decoded) == [
        ("samples[1].hr", "absent"),
        ("samples[2].hr", "out-of-range"),
        ("samples[2].temp.u", "unknown-unit"),
        ("samples[3].hr", "not-a-number"),
        ("samples[3].temp.u", "missing-unit"),
    ]


def test_slow_expressions_do_not_look_through_a_message_without_end(tmp_path: pathlib.Path) -> None:
    found = template(
        tmp_path,
        HEAD + 'seq = "n"\n' + RFC3339 + PULSE.replace('"hr"', "\"max(all[?kind == 'hr'].v)\""),
    )
    few = [{"kind": "hr", "v": n % 99} for n in range(100)]
    message = {"kind": "vitals", "at": TIME, "n": 12, "all": few}
    assert [i.values for i in read(found, message).instants] == [{Vital.HEART_RATE: 98.0}]
    refused = read(found, message | {"all": [0] * LOOKS})
    assert (refused.seq, told(refused)) == (12, [("", "bad-readings")])


def test_answers_are_told_by_codes(tmp_path: pathlib.Path) -> None:
    found = template(
        tmp_path,
        HEAD
        + RFC3339
        + '[[vitals]]\nvital = "consciousness"\nvalue = "avpu"\n'
        + 'codes = { Alert = "A", Pain = "P", 3 = "V" }\n'
        + '[[vitals]]\nvital = "supplemental_oxygen"\nvalue = "o2"\n'
        + "codes = { true = true, false = false, mask = true }\n",
    )
    for avpu, o2, expected in (
        (("Pain"), True, (3, 1)),
        (3, False, (2, 0)),
        ("Alert", "mask", (0, 1)),
    ):
        [instant] = read(found, {"kind": "vitals", "at": TIME, "avpu": avpu, "o2": o2}).instants
        assert (
            instant.values[Vital.CONSCIOUSNESS],
            instant.values[Vital.SUPPLEMENTAL_OXYGEN],
        ) == expected
    wrong = read(found, {"kind": "vitals", "at": TIME, "avpu": "alert", "o2": ["mask"]})
    assert told(wrong) == [("avpu", "unknown-code"), ("o2", "unknown-code")]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"kind": "event"}, ("", "no-match")),
        ([], ("", "no-match")),
        (7, ("", "not-an-object")),
        ({"kind": "vitals", "hr": 72}, ("at", "missing-time")),
        ({"kind": "vitals", "hr": 72, "at": 5}, ("at", "bad-time")),
        ({"kind": "vitals", "hr": 72, "at": "2026-11-24T03:00:00"}, ("at", "no-time-zone")),
        ({"kind": "vitals", "hr": 72, "at": "2030-01-01T00:00:00Z"}, ("at", "time-ahead")),
        ({"kind": "vitals", "hr": True, "at": TIME}, ("hr", "not-a-number")),
        ({"kind": "vitals", "hr": {}, "at": TIME}, ("hr", "not-a-number")),
        ({"kind": "vitals", "hr": 10**400, "at": TIME}, ("hr", "not-finite")),
        ({"kind": "vitals", "hr": float("nan"), "at": TIME}, ("hr", "not-finite")),
        ({"kind": "vitals", "at": TIME}, ("", "no-vitals")),
    ],
)
def test_what_is_wrong_with_a_message_is_named(
    tmp_path: pathlib.Path, message: Any, expected: tuple[str, str]
) -> None:
    decoded = read(template(tmp_path, HEAD + RFC3339 + PULSE), message)
    assert told(decoded) == [expected]
    assert decoded.instants == []


def test_a_vital_that_is_required_and_not_there_is_refused(tmp_path: pathlib.Path) -> None:
    found = template(tmp_path, HEAD + RFC3339 + PULSE + "required = true\n")
    assert told(read(found, {"kind": "vitals", "at": TIME})) == [("hr", "null")]


@pytest.mark.parametrize("seq", [None, 0, -1, True, 1.5, "12", 2**63])
def test_a_number_of_the_message_that_is_none_is_refused(tmp_path: pathlib.Path, seq: Any) -> None:
    found = template(tmp_path, HEAD + 'seq = "n"\n' + RFC3339 + PULSE)
    decoded = read(found, {"kind": "vitals", "n": seq, "at": TIME, "hr": 72})
    assert told(decoded) == [("n", "bad-seq")]


def test_a_message_may_have_a_name_instead_of_a_number(tmp_path: pathlib.Path) -> None:
    found = template(tmp_path, HEAD + 'id = "uuid"\n' + RFC3339 + PULSE)
    sent = {"kind": "vitals", "uuid": "d36bfdb6-b1b1", "at": TIME, "hr": 72}
    assert read(found, sent).id == "d36bfdb6-b1b1"
    assert read(found, sent | {"uuid": "not a name"}).id is None


def test_a_message_that_is_not_the_template_s_keeps_its_name_so_that_a_receipt_can_be_given(
    tmp_path: pathlib.Path,
) -> None:
    found = template(tmp_path, HEAD + 'seq = "n"\nid = "uuid"\n' + RFC3339 + PULSE)
    decoded = read(found, {"kind": "event", "n": 12, "uuid": "d36b"})
    assert (decoded.seq, decoded.id, told(decoded)) == (12, "d36b", [("", "no-match")])


@pytest.mark.parametrize("elements", [None, {}, [], [{}] * (READINGS + 1)])
def test_elements_that_are_no_list_are_refused(tmp_path: pathlib.Path, elements: Any) -> None:
    found = template(tmp_path, HEAD + 'each = "all"\n' + RFC3339 + PULSE)
    assert told(read(found, {"kind": "vitals", "all": elements})) == [("all", "bad-readings")]


@pytest.mark.parametrize(
    ("form", "raw", "expected"),
    [
        ("unix-seconds", 1795489200, "2026-11-24T03:00:00+00:00"),
        ("unix-seconds", 1795489200.25, "2026-11-24T03:00:00.250000+00:00"),
        ("unix-milliseconds", 1795489200001, "2026-11-24T03:00:00.001000+00:00"),
        ("unix-seconds", "1795489200", None),
        ("unix-seconds", True, None),
        ("unix-seconds", 10**400, None),
        ("unix-seconds", float("nan"), None),
        ("unix-milliseconds", 1e308, None),
        ("unix-milliseconds", float("-inf"), None),
        ("unix-milliseconds", {}, None),
        ("local", "2026-11-24 04:00:00", "2026-11-24T03:00:00+00:00"),
        ("local", "2026-07-24T05:00", "2026-07-24T03:00:00+00:00"),
        ("local", "2026-11-24 04:00:00+01:00", None),
        ("local", "2026-03-29 02:30:00", None),  # left out by the change to summer time
        ("local", "yesterday", None),
        ("local", "0001-01-01 00:00:00", None),
        ("local", 5, None),
    ],
)
def test_a_moment_is_read_in_the_form_that_the_template_names(
    tmp_path: pathlib.Path, form: str, raw: Any, expected: str | None
) -> None:
    zone = 'zone = "Europe/Paris"\n' if form == "local" else ""
    time = f'[time]\nvalue = "at"\nform = "{form}"\n{zone}'
    decoded = read(template(tmp_path, HEAD + time + PULSE), {"kind": "vitals", "at": raw, "hr": 72})
    if expected is None:
        assert told(decoded) == [("at", "bad-time")]
    else:
        assert [instant.time.isoformat() for instant in decoded.instants] == [expected]


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        pytest.param("2026-10-25T00:30:05+00:00", "2026-10-25T00:30:00+00:00", id="live, summer"),
        pytest.param("2026-10-25T01:30:05+00:00", "2026-10-25T01:30:00+00:00", id="live, winter"),
        pytest.param("2026-10-26T09:00:00+00:00", None, id="stored: nobody knows which"),
    ],
)
def test_the_hour_that_winter_time_repeats_is_told_apart_by_when_it_came(
    tmp_path: pathlib.Path, received: str, expected: str | None
) -> None:
    time = '[time]\nvalue = "at"\nform = "local"\nzone = "Europe/Paris"\n'
    sent = {"kind": "vitals", "at": "2026-10-25 02:30:00", "hr": 72}
    decoded = read(template(tmp_path, HEAD + time + PULSE), sent, datetime.fromisoformat(received))
    assert [instant.time.isoformat() for instant in decoded.instants] == [expected] * bool(expected)


def test_one_time_for_all_elements_is_asked_of_the_message(tmp_path: pathlib.Path) -> None:
    time = '[time]\nvalue = "head.at"\nform = "rfc3339"\nfrom = "message"\n'
    found = template(tmp_path, HEAD + 'each = "all"\n' + time + PULSE)
    sent = {"kind": "vitals", "head": {"at": TIME}, "all": [{"hr": 72}, {"hr": 72}, {"hr": 75}]}
    decoded = read(found, sent)
    assert [instant.values for instant in decoded.instants] == [{Vital.HEART_RATE: 72.0}]
    assert told(decoded) == [("all[2].hr", "repeated")]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name = acme\n", "not TOML: .*line 1"),
        (HEAD + PULSE, "missing key `time`"),
        (HEAD + RFC3339, "missing key `vitals`"),
        (HEAD + "number = 'n'\n" + RFC3339 + PULSE, "unknown key `number`"),
        (HEAD + RFC3339 + PULSE + "units = '/min'\n", r"vitals\[0\]: unknown key `units`"),
        (HEAD + RFC3339 + PULSE.replace("heart_rate", "pulse"), r"vitals\[0\].vital: .*pulse"),
        (HEAD + RFC3339 + PULSE.replace("/min", "bpm"), r"vitals\[0\].unit: `bpm` is not known"),
        (
            HEAD + RFC3339 + PULSE.replace("/min", "mm[Hg]"),
            r"vitals\[0\].unit: `mm\[Hg\]` contradicts the vital",
        ),
        (
            HEAD + RFC3339 + '[[vitals]]\nvital = "spo2"\nvalue = "s"\n',
            r"vitals\[0\].unit: missing",
        ),
        (
            HEAD + RFC3339 + '[[vitals]]\nvital = "spo2"\nvalue = "s"\n'
            'unit = { value = "u", table = { pc = "Cel" } }\n',
            r"vitals\[0\].unit.table: `Cel` contradicts the vital",
        ),
        (HEAD + RFC3339 + PULSE + 'codes = { a = "A" }\n', r"vitals\[0\].codes: heart_rate is a"),
        (
            HEAD + RFC3339 + '[[vitals]]\nvital = "consciousness"\nvalue = "c"\n',
            r"vitals\[0\].codes: missing",
        ),
        (
            HEAD
            + RFC3339
            + '[[vitals]]\nvital = "consciousness"\nvalue = "c"\ncodes = {a = "X"}\n',
            r"vitals\[0\].codes: a meaning of consciousness is one of A, C, V, P, U",
        ),
        (
            HEAD + RFC3339 + '[[vitals]]\nvital = "consciousness"\nvalue = "c"\nunit = "1"\n',
            r"vitals\[0\].unit: consciousness is no quantity",
        ),
        (HEAD + RFC3339 + PULSE.replace('"hr"', '"hr["'), r"vitals\[0\].value: `hr\[` is no JMESP"),
        (HEAD + RFC3339 + PULSE.replace('"hr"', '"len(hr)"'), "there is no function len()"),
        (HEAD + RFC3339 + PULSE.replace('"hr"', '"abs(a, b)"'), "takes 1 arguments, not 2"),
        (HEAD + RFC3339 + PULSE.replace('"hr"', '""'), "an expression has 1 to 500 characters"),
        (HEAD.replace("acme", "a/b") + RFC3339 + PULSE, "name: "),
        (HEAD + RFC3339.replace("rfc3339", "iso") + PULSE, "time.form: .*iso"),
        (HEAD + RFC3339 + 'zone = "Europe/Paris"\n' + PULSE, "time: `zone` belongs to form"),
        (HEAD + RFC3339.replace("rfc3339", "local") + PULSE, "time: `zone` belongs to form"),
        (
            HEAD + RFC3339.replace("rfc3339", "local") + 'zone = "Europe/Pariss"\n' + PULSE,
            "time.zone: there is no time zone `Europe/Pariss`",
        ),
    ],
)
def test_a_template_with_a_fault_is_refused_at_load_and_the_place_is_named(
    tmp_path: pathlib.Path, text: str, fault: str
) -> None:
    with pytest.raises(TemplateRefused, match=fault) as refused:
        template(tmp_path, text)
    assert "acme.toml" in str(refused.value)


def test_a_folder_of_templates_has_each_name_once(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.toml").write_text(HEAD + RFC3339 + PULSE, encoding="utf-8")
    assert list(from_folder(tmp_path)) == ["acme"]
    (tmp_path / "b.toml").write_text(HEAD + RFC3339 + PULSE, encoding="utf-8")
    with pytest.raises(TemplateRefused, match=r"b.toml: name: `acme` is also that of .*a.toml"):
        from_folder(tmp_path)
    with pytest.raises(TemplateRefused, match="no such folder"):
        from_folder(tmp_path / "none")
    with pytest.raises(TemplateRefused, match="cannot be read"):
        from_file(tmp_path / "none.toml")


HOSTILE: list[Any] = [
    *[None, True, 0, 1, -1, 1.5, 10**400, float("nan"), float("inf"), "", "inf", "nan", "9" * 5000],
    *["\ud800", [], {}, [[]], [1, "a"], ["a", 1], {"a": None}, [None], [float("nan"), "x", {}]],
    [{"v": 1}, {"v": "a"}, {"v": None}, 5],
]


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


EXPRESSIONS = [
    *["a", "a.b[0].c", "a[-1].v", "a[*].v", "a[?v==`1`].v | [0]", "a[]", "a.*", "a[::2]", "@"],
    *["to_number(a)", "ceil(to_number(a))", "floor(to_number(a))", "abs(a)", "sum(a)", "avg(a)"],
    *["contains('text', a)", "contains(a, 'x')", "max(a)", "sort(a)", "sort_by(a, &v)", "keys(a)"],
    *["max_by(a, &v)", "min_by(a[*], &v)", "map(&v, a)", "merge(a, a)", "join('', a)", "length(a)"],
    *["to_string(@)", "a == @", "a > `1`", "a && !b", "not_null(a, b)", "type(a)", "values(@)"],
    *["[a, b]", "{x: a}", "starts_with(a, 'x')", "reverse(a)", "to_array(a)[0]", "a == 'x' || b"],
]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_raises_nothing_but_its_own_error_whatever_it_is_given(text: str) -> None:
    path = Path(text)
    for value in [*HOSTILE, nested(900), nested(20_000)]:
        for given in (value, {"a": value}, {"a": {"b": value}}, [{"a": value}]):
            with suppress(Unanswered):
                path.find(given)


@pytest.mark.parametrize(
    ("value", "why"), [(5, "In function keys(), invalid type"), (nested(20_000), "too deeply")]
)
def test_why_an_expression_cannot_be_applied_is_told_however_deep_the_value(
    value: Any, why: str
) -> None:
    with pytest.raises(Unanswered, match=re.escape(why)):
        Path("keys(@)").find(value)


SIMPLE = [
    *["a", "a.b", "a[0]", "a[-1].v", "a.b[1].c", '"x y".z', "@", "a[5]", "a[-9]", "[0]", "a.b.c.d"],
    *["a == 'x'", "a == ''", "a.b == '9'", "a == 'x' && b", "a && b && a == 'inf'", "@ && a[0]"],
]


@pytest.mark.parametrize("text", SIMPLE)
def test_a_simple_expression_followed_by_hand_gives_what_jmespath_gives(text: str) -> None:
    path = Path(text)
    assert path._quick is not None
    for value in [*HOSTILE, "x", {"b": [0, {"c": 5}]}, {"x y": {"z": 1}}]:
        for given in (value, {"a": value}, {"a": [value, value]}, {"a": "x", "b": value}):
            found, expected = path.find(given), jmespath.search(text, given)
            assert found is expected or (found == expected and type(found) is type(expected))


@pytest.mark.parametrize("text", ["a == `1`", "a == `true`", "a == b", "a != 'x'", "a || b", "!a"])
def test_what_has_rules_of_its_own_is_left_to_jmespath(text: str) -> None:
    assert Path(text)._quick is None


@pytest.mark.parametrize("text", ["", " ", "a" * 501, "a[", "foo(a)", "length()", "a b", "`1"])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionRefused):
        Path(text)
