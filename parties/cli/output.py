"""How the program speaks: results on stdout, errors as one sentence on stderr, and exit codes."""

from __future__ import annotations

import errno
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import click
import typer

from parties.errors import BUG, LocalFault, PartyError, exit_code
from psi.errors import PsiError


def give(values: dict[str, Any], lines: Sequence[str], *, as_json: bool) -> None:
    """Prints a result: one JSON object, or lines for people."""
    if as_json:
        print(json.dumps(values, ensure_ascii=False), flush=True)
    else:
        print("\n".join(lines), flush=True)


def run(app: Callable[..., Any]) -> None:
    """Runs the program; every way in which it can end has its exit code.

    Raises:
        SystemExit: always.
    """
    as_json = "--json" in sys.argv
    try:
        app(standalone_mode=False)
    except click.exceptions.Exit as leave:
        raise SystemExit(leave.exit_code) from None
    except click.ClickException as misuse:
        _say(f"{misuse.format_message()}; see --help", "usage", 2, as_json=as_json)
    except (KeyboardInterrupt, click.exceptions.Abort):
        _say("interrupted; nothing was learnt", "interrupted", 130, as_json=as_json)
    except (PartyError, PsiError) as error:
        _say(str(error), _code(error), exit_code(error), as_json=as_json)
    except OSError as fault:
        if fault.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EMFILE):
            _bug(fault, as_json=as_json)
        reason = f"the operating system says: {fault.strerror}"
        _say(reason, LocalFault.code, LocalFault.exit_code, as_json=as_json)
    except Exception as error:  # a bug of ours
        _bug(error, as_json=as_json)
    raise SystemExit(0)


def _bug(error: Exception, *, as_json: bool) -> None:
    # Texts of foreign errors may hold data: the type and the place say enough to look for the bug.
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    place = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    sentence = f"a bug of Greenlane: {type(error).__name__} in {place}; please report it"
    _say(sentence, "internal", BUG, as_json=as_json)


def _code(error: PartyError | PsiError) -> str:
    if isinstance(error, PartyError):
        return error.code
    # DecoyMismatch -> decoy-mismatch
    name = type(error).__name__
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).removeprefix("-")


def _say(sentence: str, code: str, status: int, *, as_json: bool) -> None:
    if as_json:
        error = {"code": code, "message": sentence, "exit_code": status}
        print(json.dumps({"error": error}, ensure_ascii=False))
    typer.echo(f"greenlane: {sentence}", err=True)
    raise SystemExit(status)
