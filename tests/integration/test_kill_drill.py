"""A run that is killed again and again ends as one that was left alone."""

import shutil
from pathlib import Path

import pytest

from tests.integration.killing import differences, drill

KILLS = 12


@pytest.mark.slow
def test_killed_runs_end_as_an_undisturbed_one_does(tmp_path: Path) -> None:
    tally = drill(tmp_path, kills=KILLS, seed=0, within=0.5)
    assert tally.mismatches == []
    assert (tally.kills, tally.resumes + tally.restarts) == (KILLS, KILLS)
    assert tally.caches_deleted > 0

    # The comparison itself sees a single bit.
    reference, other = tmp_path / "undisturbed", tmp_path / "tampered"
    shutil.copytree(reference, other)
    assert list(differences(other, reference)) == []
    weights = other / "bundle" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert any("model.safetensors" in what for what in differences(other, reference))
