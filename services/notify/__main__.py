"""`python -m services.notify migrate | serve | agenda | demonstration | account ...`."""

import sys

from chassis.runtime.cli import main
from services.notify.app import SERVICE

if __name__ == "__main__":
    sys.exit(main(SERVICE, sys.argv[1:]))
