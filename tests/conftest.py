"""Before anything imports grpc: its core reads this when it is loaded, and prints to stderr."""

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
