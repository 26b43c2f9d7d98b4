"""An interrupt that arrives where Python can raise nothing is not lost."""

from __future__ import annotations

import subprocess
import sys

import pytest

# What is run instead of the command line, interrupted at a place that Python keeps quiet about.
IN_A_FINALIZER = """
class Gone:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)

def run():
    Gone()
    for _ in range(100):
        time.sleep(0.05)
    sys.exit(0)
"""
IN_A_CLASS = """
class Named:
    def __set_name__(self, owner, name):
        raise KeyboardInterrupt

def run():
    class Owner:
        named = Named()
"""


@pytest.mark.parametrize("body", [IN_A_FINALIZER, IN_A_CLASS])
def test_an_interrupt_ends_the_run(body: str) -> None:
    script = (
        f"import os, signal, sys, time\n{body}\n"
        "import backendgen.cli\nbackendgen.cli.run = run\nsys.argv = ['backendgen', 'rules']\n"
        "from backendgen.__main__ import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (130, "")
