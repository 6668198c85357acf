"""Coverage-guided fuzzing of one format: `python -m tests.fuzz gatt --seconds 60`.

Starts from messages that our own writers make, changes them by what reaches new code, and holds
each answer against the promises of `ingest.formats.port.Decode`. An input that breaks one is kept
as a file, and the exit status is not 0. Needs the extra `fuzz`; `make fuzz` installs it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from pathlib import Path
from random import Random

import atheris
from hypothesis.errors import NonInteractiveExampleWarning

with atheris.instrument_imports(include=["ingest", "jmespath"], enable_loader_override=False):
    from tests.contract.format_cases import CASES
    from tests.contract.mutations import TOKENS, changed
    from tests.contract.promises import decoded

SEEDS = 40
LONGEST = 4096
BLIND = 0.4


def main() -> None:
    """Fuzz until the time is over, or a promise breaks."""
    cases = {case.name: case for case in CASES}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("format", choices=sorted(cases))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="kept from run to run; default: made anew")
    parser.add_argument("--found", type=Path, default=Path(), help="folder of inputs that break")
    given = parser.parse_args()
    case = cases[given.format]
    corpus = given.corpus or Path(tempfile.mkdtemp(prefix=f"vigie-fuzz-{case.name}-"))
    corpus.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # Examples at will are what a corpus is made of; the warning is for those in tests.
        warnings.simplefilter("ignore", NonInteractiveExampleWarning)
        seeds = [case.write(case.instants.example()) for _ in range(SEEDS)]
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = corpus.with_name(f"{corpus.name}.words")
    words.write_text("\n".join(f'"{_escaped(token)}"' for token in TOKENS), encoding="ascii")
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={given.seconds}",
            f"-max_len={LONGEST}",
            f"-dict={words}",
            f"-artifact_prefix={given.found}/{case.name}-",
            "-timeout=5",  # one input that takes longer is a promise broken too
            "-print_final_stats=1",
            str(corpus),
        ],
        lambda payload: decoded(case, payload),
        custom_mutator=lambda payload, most, seed: _mutated(payload, most, Random(seed), seeds),
    )
    atheris.Fuzz()


def _mutated(payload: bytes, most: int, random: Random, seeds: list[bytes]) -> bytes:
    """Change a message now as the fuzzer would, now as devices do: bytes alone seldom stay JSON."""
    if random.random() < BLIND:
        mutated: bytes = atheris.Mutate(payload, most)
        return mutated
    return changed(payload, random, seeds)[:most]


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{octet:02x}" for octet in token[:64])


if __name__ == "__main__":
    main()
