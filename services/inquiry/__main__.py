"""`python -m services.inquiry migrate | serve | agenda | demonstration | account ...`."""

import sys

from chassis.runtime.cli import main
from services.inquiry.app import SERVICE

if __name__ == "__main__":
    sys.exit(main(SERVICE, sys.argv[1:]))
