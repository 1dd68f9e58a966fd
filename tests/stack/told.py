"""`python -m tests.stack.told CODE`: say what this process was told and what it inherited, then end; without CODE stay."""

import json
import os
import signal
import sys
import threading

if __name__ == "__main__":
    found = {
        "argv": sys.argv,
        "environment": dict(os.environ),
        "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],  # the last one lists them
        "session": os.getsid(0) == os.getpid(),
        "threads": threading.active_count(),
        "children": signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
    }
    print(json.dumps(found), flush=True)
    if len(sys.argv) > 1:
        sys.exit(int(sys.argv[1]))
    signal.pause()
