"""How the program speaks: results on stdout, errors as one sentence on stderr, and exit codes."""

from __future__ import annotations

import errno
import gc
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final

import typer

_OF_THIS_MACHINE: Final = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EPIPE,
)
"""What the operating system says when no code of ours is wrong."""


_INTERRUPTED: Final = {
    "prepare": "interrupted; run it again, and it goes on where it was",
    "inquire": "interrupted; what was asked may have been counted",
    "operator": "interrupted; nothing was made",
    "ticket": "interrupted; nothing was written",
    "results": "interrupted; nothing was opened",
    "ticket submit": "interrupted; what was submitted waits at the peer: see `ticket state`",
    "ticket state": "interrupted; the ticket waits at the peer as before: ask again",
    "inbox": "interrupted; nothing was decided",
    "clues": "interrupted; what was said to be done is, and letters that wait are sent later",
    "audit": "interrupted; nothing was written but the line that an export is asked for",
    "models": "interrupted; nothing was written",
}
"""What an interrupted command says that is not one whose sets are matched."""
INTERRUPTED: Final = 130
"""As `parties.errors` has it, which is not read before it is needed."""


def give(values: dict[str, Any], lines: Sequence[str], *, as_json: bool) -> None:
    """Prints a result: one JSON object, or lines for people.

    Raises:
        LocalFault: nobody reads it.
    """
    try:
        print(json.dumps(values, ensure_ascii=False) if as_json else "\n".join(lines), flush=True)
    except BrokenPipeError:
        from parties.errors import LocalFault

        raise LocalFault("nobody reads stdout any more; the command itself was done") from None


def keep_imported() -> None:
    """Begins to collect garbage, and never looks at what is there: what was imported stays.

    Called after the imports of a command that runs for long. While modules are imported, and when
    the program ends, Python would look through their objects again and again: a tenth of a second.
    """
    gc.freeze()
    gc.enable()


def run(app: Callable[..., Any]) -> None:
    """Runs the program; every way in which it can end has its exit code.

    Raises:
        SystemExit: always.
    """
    as_json = "--json" in sys.argv
    try:
        # None if a command returned, else the code with which it left; 130 for Ctrl-C.
        status = app(standalone_mode=False) or 0
    except typer.TyperException as misuse:
        sentence = f"{_message(misuse).rstrip('.')}; see --help"
        _say(sentence, "usage", 2, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except Exception as error:
        _say(*_described(error), as_json=as_json)
    if status == INTERRUPTED:
        one, two = "".join(sys.argv[1:2]), " ".join(sys.argv[1:3])
        words = _INTERRUPTED.get(two) or _INTERRUPTED.get(one, "interrupted; nothing was learnt")
        _say(words, "interrupted", status, as_json=as_json)
    raise SystemExit(status)


def _message(misuse: typer.TyperException) -> str:
    return str(getattr(misuse, "format_message", misuse.__str__)())


def _described(error: Exception) -> tuple[str, str, int]:
    """Returns sentence, code word and exit code."""
    from parties.errors import BUG, LocalFault, PartyError, code_of, exit_code
    from psi.errors import PsiError

    match error:
        case PartyError() | PsiError():
            return str(error), code_of(error), exit_code(error)
        case OSError() if error.errno in _OF_THIS_MACHINE:
            reason = f"the operating system says: {error.strerror}"
            return reason, LocalFault.code, LocalFault.exit_code
        case _:
            # Texts of foreign errors may hold data: the type and the place say enough to look for
            # the bug.
            frames = traceback.extract_tb(error.__traceback__)[-3:]
            place = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
            sentence = f"a bug of Greenlane: {type(error).__name__} in {place}; please report it"
            return sentence, "internal", BUG


def _say(sentence: str, code: str, status: int, *, as_json: bool) -> None:
    try:
        if as_json:
            error = {"code": code, "message": sentence, "exit_code": status}
            print(json.dumps({"error": error}, ensure_ascii=False))
        sys.stdout.flush()
    except OSError:
        # Nobody reads stdout, or its disk is full. Python would try once more when it ends, and
        # write an error of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    typer.echo(f"greenlane: {sentence}", err=True)
    raise SystemExit(status)
