"""Whatever others write, each parser gives a result or our own error, soon and in little memory (1 minute).

The cases are the same in each run. RIGFORGE_FUZZ_CASES makes more of them, for each parser, and other ones than before.
"""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, seed, settings

from rigforge.errors import RigforgeError
from rigforge.installer.section import DocumentError
from tests.fuzz.inputs import Input, damaged
from tests.fuzz.parsers import PARSERS

CASES = int(os.environ.get("RIGFORGE_FUZZ_CASES", "400"))

#: Seconds of the processor for one input; bytes that all of a parser's inputs may add to what this process takes.
LONGEST, MOST = 5.0, 500_000_000

#: How many inputs are made of one seed.
ROUND = 200


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_it_ends_with_a_result_or_our_own_error(name: str, record_property: pytest.RecordProperty) -> None:
    parser = PARSERS[name]
    made = 0

    @settings(max_examples=ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(damaged(parser.examples))
    def survives(text: Input) -> None:
        nonlocal made
        made += 1
        start = time.process_time()
        with suppress(RigforgeError, DocumentError):
            parser.read(text)
        assert time.process_time() - start < LONGEST

    parser.read(parser.examples[0])  # what it loads once does not count
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(-(-CASES // ROUND)):
        seed(number)(survives)()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MOST
    record_property("cases", made)
