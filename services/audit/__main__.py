"""`python -m services.audit migrate | serve | demonstration | rebuild | parked | release ... | account ...`."""

import sys

from chassis.runtime.cli import main
from services.audit.app import SERVICE

if __name__ == "__main__":
    sys.exit(main(SERVICE, sys.argv[1:]))
