"""Readers on small files of the same form, and the shift in time."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ingest.ports import SettingError
from ingest.readings import Vital
from simulators.recordings import Ends, Recording, read, sources

if TYPE_CHECKING:
    from pathlib import Path

END = datetime(2026, 11, 24, 3, tzinfo=UTC)


def packed(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


def plain(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")


def by_patient(folder: Path, *only: str) -> dict[str, Recording]:
    return {recording.patient: recording for recording in read(sources(folder, only))}


def bidmc(folder: Path) -> None:
    packed(
        folder / "bidmc_numerics_1hz.csv.gz",
        "record,t_s,HR,PULSE,RESP,SpO2",
        "bidmc01,0,94.0,93.0,25.0,97.0",
        "bidmc01,1,94.0,,0.0,",
        "bidmc01,2,,,,",
        "bidmc23,-1,80.0,80.0,12.0,NaN",
    )


def test_bidmc_gives_a_patient_a_record_and_leaves_dropouts_out(tmp_path: Path) -> None:
    bidmc(tmp_path / "bidmc")
    found = by_patient(tmp_path)
    assert list(found) == ["rec-bidmc-01", "rec-bidmc-23"]
    assert found["rec-bidmc-01"].instants == [
        (
            0,
            {
                Vital.HEART_RATE: 94,
                Vital.PULSE_RATE: 93,
                Vital.RESPIRATORY_RATE: 25,
                Vital.SPO2: 97,
            },
        ),
        (1, {Vital.HEART_RATE: 94, Vital.RESPIRATORY_RATE: 0}),
        (2, {}),
    ]
    assert found["rec-bidmc-23"].instants[0][0] == -1
    assert found["rec-bidmc-01"].bed(0).device == "rec-bidmc-01-monitor"


def test_a_set_of_recordings_may_be_named_itself(tmp_path: Path) -> None:
    bidmc(tmp_path)
    assert len(by_patient(tmp_path)) == 2


def test_psv_files_give_hourly_rows_without_fio2(tmp_path: Path) -> None:
    plain(
        tmp_path / "sepsis2019" / "sample_psv" / "p000560.psv",
        "HR|O2Sat|Temp|SBP|MAP|DBP|Resp|FiO2|ICULOS|SepsisLabel",
        "109|100|35.78|137|88.33|NaN|20|0.4|2|0",
        "NaN|NaN|NaN|NaN|NaN|NaN|NaN|4000|3|0",
        "110|NaN|NaN|NaN|NaN|NaN|NaN|NaN|5|0",
    )
    recording = by_patient(tmp_path)["rec-sepsis-p000560"]
    assert [seconds for seconds, _ in recording.instants] == [7200, 10800, 18000]
    assert recording.instants[0][1] == {
        Vital.HEART_RATE: 109,
        Vital.SPO2: 100,
        Vital.TEMPERATURE: 35.78,
        Vital.SYSTOLIC: 137,
        Vital.MEAN_PRESSURE: 88.33,
        Vital.RESPIRATORY_RATE: 20,
    }
    assert recording.instants[1][1] == {}


def test_parquet_rows_are_grouped_by_patient(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"HR": [80.0, None, 90.0], "O2Sat": [97.0, 98.0, None]}
    empty = {name: [None] * 3 for name in ("Temp", "SBP", "MAP", "DBP", "Resp")}
    ids = {"patient_id": ["p1", "p1", "p2"], "ICULOS": [1, 2, 7]}
    parquet.write_table(
        pyarrow.table({**ids, **columns, **empty}), tmp_path / "sepsis2019_dev.parquet"
    )
    found = by_patient(tmp_path)
    assert found["rec-sepsis-p1"].instants == [
        (3600, {Vital.HEART_RATE: 80, Vital.SPO2: 97}),
        (7200, {Vital.SPO2: 98}),
    ]
    assert found["rec-sepsis-p2"].instants == [(25200, {Vital.HEART_RATE: 90})]


def test_e4_exports_start_at_their_first_line_and_leave_the_skin_out(tmp_path: Path) -> None:
    plain(tmp_path / "stress_predict/raw_e4/S10/HR.csv", "1644844469.0", "1.0", "85.0", "71.5")
    plain(tmp_path / "stress_predict/raw_e4/S10/TEMP.csv", "1644844459.0", "4.0", "31.91")
    recording = by_patient(tmp_path)["rec-e4-s10"]
    assert recording.instants == [
        (1644844469, {Vital.HEART_RATE: 85}),
        (1644844470, {Vital.HEART_RATE: 71.5}),
    ]


def test_a_broken_export_is_named_without_its_content(tmp_path: Path) -> None:
    plain(tmp_path / "raw_e4/S10/HR.csv", "1644844469.0", "1.0", "eighty")
    with pytest.raises(SettingError, match="not an export") as error:
        by_patient(tmp_path)
    assert "eighty" not in str(error.value)


def test_the_stress_table_gives_heart_and_breathing(tmp_path: Path) -> None:
    packed(
        tmp_path / "stress_predict/hr_resp_1hz.csv.gz",
        "participant,hr,resp,unix_s,stress_label",
        "10,85.0,12.5,1644844468,0",
        "14,,13.0,1644844469,1",
    )
    found = by_patient(tmp_path)
    assert found["rec-stress-10"].instants == [
        (1644844468, {Vital.HEART_RATE: 85, Vital.RESPIRATORY_RATE: 12.5})
    ]
    assert found["rec-stress-14"].instants == [(1644844469, {Vital.RESPIRATORY_RATE: 13})]


def test_welltory_days_stand_at_noon_and_saturation_is_in_percent(tmp_path: Path) -> None:
    packed(
        tmp_path / "wearables.csv.gz",
        "user_code,day,resting_pulse,average_spo2_value,body_temperature_avg,steps_count",
        "01bad5a519,2020-04-30,58.0,0.96,36.4,8574.0",
        "01bad5a519,2020-05-01,,,,",
    )
    packed(
        tmp_path / "blood_pressure.csv.gz",
        "user_code,measurement_datetime,diastolic,systolic",
        "01bad5a519,2020-04-29  22:33:33,100,150",
    )
    recording = by_patient(tmp_path)["rec-welltory-01bad5a519"]
    noon = datetime(2020, 4, 30, 12, tzinfo=UTC)
    evening = datetime(2020, 4, 29, 22, 33, 33, tzinfo=UTC)
    assert recording.instants == [
        (evening.timestamp(), {Vital.SYSTOLIC: 150, Vital.DIASTOLIC: 100}),
        (
            noon.timestamp(),
            {Vital.HEART_RATE: 58, Vital.SPO2: 96, Vital.TEMPERATURE: 36.4, Vital.STEPS: 8574},
        ),
    ]


def test_the_last_instant_is_put_at_the_end_and_the_spacing_is_kept() -> None:
    instants = [(-1.0, {Vital.SPO2: 97.0}), (0.0, {}), (4.25, {Vital.SPO2: 96.0})]
    recording = Recording("bidmc", "01", "icu", "monitor", instants)
    shifted = list(recording.samples(END))
    assert [sample.time for sample in shifted] == [END - timedelta(seconds=5.25), END]
    assert [sample.due for sample in shifted] == [sample.time for sample in shifted]
    assert shifted[0].instant() == {"time": "2026-11-24T02:59:54.750Z", "spo2": 97.0}


def test_the_limit_is_patients_of_each_set(tmp_path: Path) -> None:
    bidmc(tmp_path)
    assert len(list(read(sources(tmp_path), limit=1))) == 1


def test_what_is_not_there_is_said_with_what_is(tmp_path: Path) -> None:
    bidmc(tmp_path)
    with pytest.raises(SettingError, match="no `welltory` here; there is: bidmc"):
        sources(tmp_path, ["welltory"])
    with pytest.raises(SettingError, match="no recordings here"):
        sources(tmp_path / "bidmc_subjects")


def test_the_end_of_a_run_is_remembered_for_its_set_alone(tmp_path: Path) -> None:
    bidmc(tmp_path / "a")
    bidmc(tmp_path / "b")
    (here,), (there,) = sources(tmp_path / "a"), sources(tmp_path / "b")
    ends = Ends(tmp_path / "state")
    assert ends.recall(here) is None
    ends.remember(here, END)
    assert Ends(tmp_path / "state").recall(here) == END
    assert ends.recall(there) is None


def test_a_damaged_memory_is_no_memory(tmp_path: Path) -> None:
    bidmc(tmp_path)
    (source,) = sources(tmp_path)
    ends = Ends(tmp_path / "state")
    ends.remember(source, END)
    (file,) = (tmp_path / "state" / "simulate").iterdir()
    file.write_text("{}", encoding="utf-8")
    assert ends.recall(source) is None
