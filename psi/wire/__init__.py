"""What roles say, generated from `proto/psi/wire`."""

from psi.lazily import unread

# The part of protobuf that computes in Python, a third of what importing it takes. Nothing asks for
# it where protobuf has its own kernels.
with unread("google.protobuf.internal.python_message"):
    import google.protobuf.internal.builder  # noqa: F401  # as the generated code has it
