"""Makes every sample model and the container's test graphs: python make_all.py (about ten minutes on two cores)."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
STEPS = [["fixtures.py"], ["tabular.py"], ["digits.py"], ["sentiment.py"], ["embedding.py"], ["generation.py", "tiny"], ["generation.py", "gated"]]

# Each in a process of its own, so that none depends on what another left behind.
for step in STEPS:
    print("==", *step, flush=True)
    subprocess.run([sys.executable, *step], cwd=HERE, check=True)
