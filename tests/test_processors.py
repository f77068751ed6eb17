"""What is claimed of numbers holds where this machine computes like others: see processors.py. All of it: `make test-processors`."""

import pytest

from tests import processors

pytestmark = pytest.mark.skipif(not processors.X86, reason="the settings are those of x86 processors")


def test_the_settings_have_every_library_compute_otherwise():
    one, other = map(processors.bits_under, processors.EXTREMES)
    assert {who for who in one if one[who] != other[who]} >= {"ATen", "oneDNN", "MKL, matrices", "C"}
    assert processors.bits_under(processors.EXTREMES[0]) == one  # or a difference would prove nothing


@pytest.mark.parametrize("name", processors.EXTREMES)
def test_numbers_hold_under_it(name):
    run = processors.pytest_run(name, "-p", "no:cacheprovider", *processors.paths(processors.QUICK), capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
