"""One target under atheris, which prefers inputs that reach new code: `python guided.py TARGET SECONDS SEED DIRECTORY`.

A process of its own because libFuzzer ends it. It ends with 0, or prints the input and what it raised; so do a second's silence of the
target, and memory beyond a bound.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]  # not for every machine

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["causeway_gateway", "causeway_common.contracts"]):
    from fuzz.targets import TARGETS

SLOW_SECONDS = 5
MEMORY_MB = 1024


def main() -> None:
    """Feed the target."""
    name, seconds, seed, directory = sys.argv[1:]
    target, seeds = TARGETS[name]
    corpus = Path(directory) / "corpus"
    corpus.mkdir()
    for number, data in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(data)
    options = {
        "max_total_time": seconds,
        "seed": seed,
        "max_len": 65536,
        "timeout": SLOW_SECONDS,
        "rss_limit_mb": MEMORY_MB,
        "artifact_prefix": f"{directory}/",
        "print_final_stats": 1,
    }
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
