"""A PostgreSQL of the tests' own: made in a temporary folder, and stopped when they are over."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

OWNER = "greenlane"
PASSWORD = "battery-horse-staple-42"
"""Of the owner, for connections over the loopback; the socket's folder is open to nobody else."""


WATCH = """read _
kill -QUIT "$1"
while kill -0 "$1" 2>/dev/null; do sleep 0.1; done
rm -rf "$2"
"""
"""Ends a server whose tests were killed: it reads from a pipe that closes with their process."""


class Missing(Exception):
    """There is no PostgreSQL on this machine."""


def program(name: str) -> str:
    """Returns where a program of PostgreSQL is."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)
    path = os.pathsep.join([os.environ["PATH"], *map(str, reversed(folders))])
    found = shutil.which(name, path=path)
    if found is None:
        raise Missing(
            f"these tests start a PostgreSQL, and there is no {name} in PATH nor in "
            "/usr/lib/postgresql; as root, scripts/need installs it on Debian"
        )
    return str(Path(found).resolve())


class As(NamedTuple):
    """As whom the server runs: PostgreSQL refuses root."""

    options: dict[str, Any]

    @classmethod
    def whom(cls) -> As:
        if os.geteuid() != 0:
            return cls({})
        import pwd

        names = {each.pw_name for each in pwd.getpwall()}
        user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        return cls({"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []})

    def owns(self, path: Path) -> None:
        if self.options:
            os.chown(path, self.options["user"], self.options["group"])


class Server:
    """A server with a socket in a folder of its own, and a port on the loopback."""

    def __init__(self) -> None:
        initdb, self._postgres = program("initdb"), program("postgres")
        self._as = As.whom()
        self.folder = Path(tempfile.mkdtemp(prefix="gl-pg-"))
        self._as.owns(self.folder)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        self._as.owns(secret)
        self._data = self.folder / "data"
        self._count = 0
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._run(
            initdb,
            *("--pgdata", str(self._data), "--username", OWNER, "--pwfile", str(secret)),
            *("--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C"),
            *("--wal-segsize=1", "--no-sync"),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None
        self.start()

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **self._as.options,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Starts it, and returns when it answers."""
        import psycopg

        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._postgres,
                    *("-D", str(self._data), "-k", str(self.folder)),
                    *("-h", "127.0.0.1", "-p", str(self.port)),
                    # Nobody pulls the plug of the machine while tests run.
                    *("-c", "fsync=off", "-c", "full_page_writes=off"),
                    *("-c", "max_connections=500", "-c", "shared_buffers=16MB"),
                ],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                **self._as.options,
            )
        self._watch = subprocess.Popen(
            ["sh", "-c", WATCH, "watch", str(self._process.pid), str(self.folder)],
            stdin=subprocess.PIPE,
        )
        waits = 0
        while True:
            try:
                psycopg.connect(self.address("postgres")).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert waits < 600, (self.folder / "log").read_text()
                waits += 1
                time.sleep(0.05)
            else:
                return

    def stop(self, *, at_once: bool = False) -> None:
        """Stops it; at once is as if it were killed, and it recovers when it starts."""
        if self._watch is not None:
            self._watch.kill()
            self._watch.communicate()
            self._watch = None
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
            self._process.wait(60)
            self._process = None

    def remove(self) -> None:
        self.stop(at_once=True)
        shutil.rmtree(self.folder)

    def address(self, database: str) -> str:
        """Returns what libpq connects to, over the socket."""
        return f"host={self.folder} port={self.port} user={OWNER} dbname={database}"

    def database(self) -> str:
        """Makes an empty database, and returns its name."""
        self._count += 1
        name = f"store_{self._count}"
        self.say(f"CREATE DATABASE {name}")
        return name

    def schema(self) -> str:
        """Makes an empty schema, and returns the URL of a store in it: quicker than a database."""
        self._count += 1
        self.say(f"CREATE SCHEMA store_{self._count}")
        return f"{self.url('postgres')}&options=-csearch_path%3Dstore_{self._count}"

    def say(self, statement: str, database: str = "postgres") -> list[Any]:
        """Says something to the server as its owner."""
        import psycopg

        with psycopg.connect(self.address(database), autocommit=True) as connection:
            answer = connection.execute(statement.encode())
            return answer.fetchall() if answer.description else []

    def url(self, database: str) -> str:
        """Returns the store's URL over the socket, which asks for no password."""
        return f"postgresql+psycopg://{OWNER}@/{database}?host={self.folder}&port={self.port}"

    def loopback_url(self, database: str) -> str:
        """Returns the store's URL over the loopback, where a password is asked for."""
        return f"postgresql+psycopg://{OWNER}@127.0.0.1:{self.port}/{database}"
