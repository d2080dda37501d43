"""What is missing is said, and the rest goes on."""

import subprocess
import sys


def test_without_the_renderer_a_job_still_begins_and_says_what_is_missing():
    blocked = "import sys; sys.modules.update(dict.fromkeys(('gvxrPython3', 'mujoco', 'myo_sim', 'manifold3d')))"
    code = "import workers.jobs.training_job; from mskmodel.phantoms import *; render('knee_ap', 1)"
    ran = subprocess.run([sys.executable, "-c", f"{blocked}; {code}"], capture_output=True, text=True, timeout=120)
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("mskmodel.phantoms.requirements.RenderingUnavailable: phantoms need the extra `phantoms`")


def test_one_process_can_render_and_then_train():
    code = """
from mskmodel.phantoms import render
render("knee_ap", 1)
import torch
layer = torch.nn.Linear(2, 1)
optimiser = torch.optim.SGD(layer.parameters(), 0.1)
layer(torch.ones(1, 2)).sum().backward()
optimiser.step()
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
