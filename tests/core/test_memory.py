import subprocess
import sys

PROGRAM = """
import sys
from convlens.core.memory import peak_resident
before = peak_resident()
held = b"1" * 200_000_000
print("torch" in sys.modules, before, peak_resident() - before)
"""


def test_the_peak_is_told_without_torch_and_grows_with_what_is_held() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    loaded, before, grown = done.stdout.split()
    assert loaded == b"False"
    assert 1e6 < int(before) < 150e6
    assert 190e6 < int(grown) < 210e6
