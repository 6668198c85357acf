"""Make a population model from recordings: once, before it is shipped.

Not for run time: numpy and Parquet are loaded by the functions that need them.
"""

from __future__ import annotations

import csv
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from detectors.base import Moment, Sample
from detectors.baseline import Baseline
from detectors.population.memory import own_distance
from detectors.population.model import VITALS, Joint, Marginal, Model, Reference, text
from ingest.ports import VigieError
from ingest.readings import SPECS
from ingest.registry.entities import Patient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

VERSION = 1
# A vital's value counts for this long, as at run time (`Options.validity_hours`).
VALIDITY_SECONDS = 4 * 3600.0
# At most one row a minute of each patient, as at run time.
EVERY_SECONDS = 60.0
# As many vitals as at run time must be known.
LEAST = 3
# The quantiles that are one standard deviation from the median of a normal distribution.
LOWER, UPPER = 0.158655, 0.841345
# Spreads beyond which a value has no more say in a correlation (Huber's psi; engineering choice).
WINSOR = 3.0
# The part of the correlation that is taken away, so that three pressures that say nearly the same
# do not make a rounding error look like an illness (Ledoit and Wolf's idea; 0.02 to 0.2 were
# measured alike on the development recordings).
SHRINKAGE = 0.05
# `far` is exceeded by one row in two hundred: one hour in eight days of a patient.
FAR = 0.995
# Fewer rows than this cannot tell what one in two hundred is.
LEAST_ROWS = 400

COLUMN = {str(vital): n for n, vital in enumerate(VITALS)}
WANTED = "patient, time (ISO 8601 with a zone), vital and value (a number) are wanted"

Row = tuple[str, datetime, str, float]
Known = dict[int, float]


class NotEnough(VigieError):
    """The table has too few rows of too few vitals for a model."""


class BadTable(VigieError):
    """A row is not what a row should be; the message names its place, never what is in it."""


class Followed(NamedTuple):
    """What was known of a patient at a time (UTC), by column: values, and own distances."""

    time: datetime
    others: Known
    own: Known


class _Latest(NamedTuple):
    at: float
    value: float
    own: float | None


def fit(rows: Iterable[Row], data: str) -> Model:
    """Fit a model to readings `(patient, time in UTC, vital, value)`, in any order of patients.

    Within a patient the rows are in order of time. `data` names the recordings in the file. Vitals
    that the model does not know and suspect values are passed over. The same rows give the same
    model. Raises NotEnough.

    Cost: about 15 us a row; all rows are held in memory.
    """
    patients: dict[str, dict[datetime, list[Sample]]] = {}
    for patient, time, name, value in rows:
        if name in COLUMN and value in SPECS[VITALS[COLUMN[name]]].suspect:
            patients.setdefault(patient, {}).setdefault(time, []).append(Sample(name, value))
    followed = [one for moments in patients.values() for one in follow(moments)]
    others, own = joint([one.others for one in followed]), joint([one.own for one in followed])
    return Model(VERSION, data, len(patients), VITALS, others, own)


def fit_file(
    labelled: Path, out: Path, progress: Callable[[str], None], data: str | None = None
) -> None:
    """Fit a model to a table `patient,time,vital,value` (CSV or Parquet) and write it to `out`.

    Other columns are passed over, and so are labels: this model is not told who fell ill. Times
    are ISO 8601 with a zone. `progress` is told, in a sentence each, what is being done. `data`
    names the recordings and their licence in the file (None: the table's name). Raises NotEnough,
    and BadTable where a column is missing or a cell is not what it should be.
    """
    progress("reading the table")
    rows = _parquet(labelled) if labelled.suffix == ".parquet" else _csv(labelled)
    progress("following each patient's own usual, and how the vitals go together")
    model = fit(rows, labelled.name if data is None else data)
    out.write_bytes(text(model))
    progress(f"{model.patients} patients, {model.others.rows} and {model.own.rows} rows: written")


def follow(moments: Mapping[datetime, Sequence[Sample]]) -> Iterator[Followed]:
    """Follow one patient as at run time, once a minute at most; values in order of time."""
    patient, baseline = Patient("fitting"), Baseline(Baseline.options_type())
    latest: dict[int, _Latest] = {}
    judged = -math.inf
    for time, samples in moments.items():
        at = time.timestamp()
        moment = Moment(time, at, "", tuple(sorted(samples)))
        scores = baseline.score(patient, moment, {})
        baseline.learn(patient, moment, scores)
        distances = {score.vital: own_distance(score) for score in scores}
        for vital, value, _, _ in samples:
            latest[COLUMN[vital]] = _Latest(at, value, distances.get(vital))
        if at - judged < EVERY_SECONDS:
            continue
        judged = at
        valid = sorted((n, one) for n, one in latest.items() if at - one.at <= VALIDITY_SECONDS)
        yield Followed(
            time,
            {n: one.value for n, one in valid},
            {n: one.own for n, one in valid if one.own is not None},
        )


def joint(known: Sequence[Known]) -> Joint:
    """Take centres, spreads, correlations and `far` from rows of known values. Raises NotEnough."""
    import numpy as np  # noqa: PLC0415 (for fitting only)

    rows = [one for one in known if len(one) >= LEAST]
    if len(rows) < LEAST_ROWS:
        raise NotEnough(f"{len(rows)} rows with {LEAST} vitals or more; {LEAST_ROWS} are needed")
    table = np.array([[one.get(n, math.nan) for n in range(len(VITALS))] for one in rows])
    marginals = tuple(_marginal(column[~np.isnan(column)]) for column in table.T)
    centre, below, above = np.array([[one.centre, one.below, one.above] for one in marginals]).T
    off = table - centre
    spreads = np.clip(off / np.where(off < 0, below, above), -WINSOR, WINSOR)
    size = len(VITALS)
    correlation = [[1.0] * size for _ in range(size)]
    for a in range(size):
        for b in range(a):
            both = spreads[~np.isnan(spreads[:, a]) & ~np.isnan(spreads[:, b])][:, (a, b)]
            found = _rounded((1 - SHRINKAGE) * _correlated(both))
            correlation[a][b] = correlation[b][a] = found
    bare = Joint(marginals, tuple(map(tuple, correlation)), 0.0, len(rows))
    measure = Reference(bare).distance
    distances = [measure(one).value for one in rows]
    return replace(bare, far=_rounded(float(np.quantile(distances, FAR))))


def _marginal(values: Any) -> Marginal:
    import numpy as np  # noqa: PLC0415 (for fitting only)

    if len(values) < LEAST_ROWS:
        raise NotEnough(f"{len(values)} values of a vital; {LEAST_ROWS} are needed of each")
    lower, centre, upper = (float(one) for one in np.quantile(values, (LOWER, 0.5, UPPER)))
    if centre in (lower, upper):
        raise NotEnough("a vital hardly varies: it has no spread")
    return Marginal(_rounded(centre), _rounded(centre - lower), _rounded(upper - centre))


def _correlated(both: Any) -> float:
    """Return the correlation of two columns; 0 where too few rows have both to tell."""
    if len(both) < LEAST_ROWS:
        return 0.0
    a, b = (both - both.mean(axis=0)).T
    return float((a * b).sum() / math.sqrt((a * a).sum() * (b * b).sum()))


def _rounded(figure: float) -> float:
    """Keep four decimals: what is beyond them differs between machines, and says nothing."""
    return round(figure, 4)


def _csv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                yield _row(row["patient"], row["time"], row["vital"], row["value"])
            except (KeyError, TypeError, ValueError):
                raise BadTable(f"line {number}: {WANTED}") from None


def _parquet(path: Path) -> Iterator[Row]:
    from pyarrow import parquet  # noqa: PLC0415 (an extra, for recordings only)

    number = 0
    for batch in parquet.ParquetFile(path).iter_batches():
        for number, row in enumerate(batch.to_pylist(), start=number + 1):  # noqa: B020 (counts on)
            try:
                yield _row(row["patient"], row["time"], row["vital"], row["value"])
            except (KeyError, TypeError, ValueError):
                raise BadTable(f"row {number}: {WANTED}") from None


def _row(patient: Any, time: Any, vital: Any, value: Any) -> Row:
    moment = time if isinstance(time, datetime) else datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return str(patient), moment.astimezone(UTC), str(vital), float(value)
