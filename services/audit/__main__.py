"""`python -m services.audit migrate | serve | demonstration | rebuild | parked | release ... | account ...`."""

import sys

from chassis.runtime.cli import main
from services.audit.app import PROCESS

if __name__ == "__main__":
    sys.exit(main(PROCESS, sys.argv[1:]))
