"""The page of twenty explanations: `python -m tests.evaluation.explanations --out FILE`.

Drawn at random, with a seed, from the alerts of simulated patients and, where `VIGIE_RECORDINGS`
names them, of recorded ones; each family of rules first once, then again.
"""

from __future__ import annotations

import argparse
import os
import random
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from detectors.catalogue import CATALOGUE
from detectors.explain import Language, explain
from tests.evaluation.explained_reading import NO, Reading, read, remarks
from tests.evaluation.explained_runs import SEED, Told, recorded, simulated
from tests.unit.detectors.findings_told import FOUND, NIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from detectors.findings import Finding

MANY = 20
QUESTIONS = ("what", "against what", "since when", "what is missing")
BY_HAND = "made by hand: no run gave one"
HEAD = """\
# Twenty explanations, read

Every alert says in plain words what is unusual, against what, since when, and what is missing.
How to use them at the bedside stands in [read an alert](how-to/read-an-alert.md).

These are {n} findings, drawn at random (seed {seed}) from those that opened or raised an alert:
{total} in {runs} runs of {where}, each kind of finding first once, then again. Values of simulated
patients are invented; recorded ones are quoted from open data (BIDMC, ODC-By 1.0; PhysioNet/CinC
Challenge 2019, CC BY 4.0; Welltory, CC0 1.0), with their times moved.

Made by `python -m tests.evaluation.explanations --out docs/explanations.md`; do not edit. The marks
are set by a program that looks at each finding and at its text, not at how the text is made
(`tests/evaluation/explained_reading.py`), and so are the remarks. It is no physician: it can see
that a question is answered, not how well. Detectors at work: {detectors}.
"""
TAIL = """\
## What could be better

Read by the authors, who are no physicians either:

- Of a trend, the change that counts as too much is not told: the finding has the two values only.
- A range of what is usual is told without saying how rarely an ordinary day leaves it.
- A combination of values is named, not drawn: `vigie plot` shows it better.
- "Nothing is" missing means that the finding names nothing as missing, not that more
  would not have helped: a limit needs one value, and never misses another.
- "Taken for a measurement fault" is the opinion of a program. A dying patient and a loose probe can
  look alike, and a pacemaker or a ventilator is as even as a frozen screen.
- French letters tell the time in Paris, also for patients overseas.
"""


def kind(told: Told) -> str:
    """Name what kind of finding it is: its family of rules, and of technical ones the pattern."""
    family, pattern = told.finding.rule.partition(".")[0], told.finding.pattern
    technical = family in {"artefact", "silence"} and pattern is not None
    return f"{family}, {pattern.value}" if technical and pattern is not None else family


def by_hand(kinds: Iterable[str]) -> Iterator[Told]:
    """Yield findings of the kinds that no run gave."""
    known = set(kinds)
    for found in FOUND.values():
        told = Told(found, NIGHT, BY_HAND)
        if kind(told) not in known and not found.rule.startswith("quantum"):
            known.add(kind(told))
            yield told


def drawn(all_told: Iterable[Told]) -> list[Told]:
    """Draw twenty: a kind at a time, in turn, at random within it."""
    source = random.Random(SEED)
    heaps: defaultdict[str, list[Told]] = defaultdict(list)
    for told in all_told:
        heaps[kind(told)].append(told)
    for heap in heaps.values():
        source.shuffle(heap)
    chosen: list[Told] = []
    while len(chosen) < MANY and any(heaps.values()):
        for name in sorted(heaps):
            if heaps[name] and len(chosen) < MANY:
                chosen.append(heaps[name].pop())
    return sorted(chosen, key=lambda told: (kind(told), told.moment, told.run))


def section(number: int, told: Told) -> Iterator[str]:
    """Write one explanation, and how it reads."""
    finding = told.finding
    texts = {one: explain(finding, one, moment=told.moment) for one in Language}
    yield f"\n## {number}. {kind(told).capitalize()}\n"
    about = f"{finding.kind.value}, priority {finding.priority.value}"
    yield f"`{finding.rule}`, {about}; {told.run}.\n"
    yield from (f"> {text}\n" for text in texts.values())
    yield from _marks(finding, texts)
    if better := remarks(finding, texts[Language.ENGLISH]):
        yield f"\nCould be better: {'; '.join(better)}."


def _marks(finding: Finding, texts: Mapping[Language, str]) -> Iterator[str]:
    """Say which of the four questions are answered: in one line where the languages agree."""
    marks = {one: read(finding, text, one) for one, text in texts.items()}
    agree = len(set(marks.values())) == 1
    for language, answers in marks.items():
        said = ", ".join(f"{name} {mark}" for name, mark in zip(QUESTIONS, answers, strict=True))
        yield f"{'Both' if agree else language.name.capitalize()}: {said}."
        if agree:
            return


def page(runs: list[Told], where: str) -> str:
    """Write the page."""
    hand = list(by_hand(map(kind, runs)))
    chosen = drawn([*runs, *hand])
    head = HEAD.format(
        n=len(chosen),
        seed=SEED,
        total=len(runs),
        runs=len({told.run for told in runs}),
        where=where,
        detectors=", ".join(CATALOGUE),
    )
    lines = [head, *_summary(chosen)]
    for number, told in enumerate(chosen, 1):
        lines.extend(section(number, told))
    return "\n".join([*lines, "", TAIL.rstrip()]) + "\n"


def _summary(chosen: list[Told]) -> Iterator[str]:
    readings = {
        one: [read(t.finding, explain(t.finding, one, moment=t.moment), one) for t in chosen]
        for one in Language
    }
    yield f"| of these | {' | '.join(QUESTIONS)} |\n|---|---|---|---|---|"
    for language, found in readings.items():
        counts = [
            f"{sum(getattr(one, field) != NO for one in found)} of {len(found)}"
            for field in Reading._fields
        ]
        yield f"| {language.name.capitalize()} | {' | '.join(counts)} |"
    byhand = sum(told.run == BY_HAND for told in chosen)
    yield f"\nFrom runs: {len(chosen) - byhand}; made by hand, as no run gave one: {byhand}."


def main() -> None:
    """Play, draw, write."""
    parser = argparse.ArgumentParser(description="Write the page of explanations.")
    parser.add_argument("--out", type=Path, required=True)
    place = os.environ.get("VIGIE_RECORDINGS")
    runs, where = list(simulated()), "simulated patients"
    if place:
        runs += recorded(Path(place))
        where = "simulated and recorded patients"
    parser.parse_args().out.write_text(page(runs, where), encoding="utf-8")


if __name__ == "__main__":
    main()
