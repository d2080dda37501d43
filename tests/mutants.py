"""Files with bytes changed at random, read in a process of their own: neither may it end, nor may anything escape."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
from pathlib import Path

__all__ = ["assert_survived", "mutated"]

#: The process imports `tests` too.
_ROOT = Path(__file__).parents[1]
_MEMORY = 3 * 2**30


def mutated(whole: bytes, chance: random.Random, low: int, high: int, kept: int) -> bytes:
    """The file with one to eight changes from ``low`` to below ``high``; its first ``kept`` bytes are never cut off."""
    mutant = bytearray(whole)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(low, high) % (len(mutant) or 1)
        match chance.randrange(4):
            case 0:
                mutant[at : at + 1] = bytes((mutant[at] ^ 1 << chance.randrange(8) if mutant else 0,))
            case 1:
                mutant[at : at + 1] = bytes((chance.choice((0, 127, 128, 255)),))
            case 2:
                mutant[at : at + chance.randrange(1, 20)] = chance.randbytes(chance.randrange(20))
            case 3:
                del mutant[max(at, kept) :]
    return bytes(mutant)


def assert_survived(script: str) -> None:
    """Run a script that prints the name of each mutant before it reads it; warnings are errors, memory is limited."""
    fuzzing = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        cwd=_ROOT,
        preexec_fn=_limit_memory,
        timeout=240,
        check=False,
    )
    last_mutant = fuzzing.stdout.decode().splitlines()[-1:]
    assert fuzzing.returncode == 0, (last_mutant, fuzzing.stderr.decode()[-2000:])


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
