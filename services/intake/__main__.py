"""`python -m services.intake migrate | serve | agenda | demonstration | account ...`."""

import sys

from chassis.runtime.cli import main
from services.intake.app import SERVICE

if __name__ == "__main__":
    sys.exit(main(SERVICE, sys.argv[1:]))
