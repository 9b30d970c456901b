"""What must be so before any test, or what it imports, runs."""

import os
import signal

# The core of grpc reads this when it is loaded, and prints to stderr.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

# A shell lets what it runs in the background ignore Ctrl-C, and so would the nodes that tests start
# and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
