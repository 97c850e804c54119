"""`pycurrent user` and `pycurrent token`: the users of the dashboard and its API."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.audit import note_here
from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import DurationOption, StateDirOption
from pycurrent.cli.output import write_list
from pycurrent.errors import UsageError
from pycurrent.store import AccessDatabase, TokenRecord
from pycurrent.view.formatting import local_time
from pycurrent.web.users import PASSWORD_FILE, LocalUser, PasswordFile, PasswordHash, Role
from pycurrent.web.users.keys import digest_of, new_token
from pycurrent.web.users.password_file import check_name, check_password, user_id

RoleOption = Annotated[
    Role,
    Parameter(
        help="viewer sees everything; builder cancels and rebuilds, too; admin does it all;"
        " monitor sees nothing but the metrics."
    ),
]


def add_user(
    name: str,
    /,
    *,
    role: RoleOption = Role.ADMIN,
    password_stdin: Annotated[
        bool, Parameter(negative="", help="Read the password from stdin, up to the end of a line.")
    ] = False,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> int:
    """Add a user, or give one another password and role, and end their sessions.

    Asks for the password. Once there is a user, nobody gets in without logging in.
    """
    check_name(name)
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else _ask()
    user = LocalUser(name, role, PasswordHash.of(check_password(password)))
    with AccessDatabase.open_or_make(state_dir) as database:
        users = PasswordFile(state_dir / PASSWORD_FILE)
        before = users.users().get(name)
        users.put(user)
        database.end_sessions(user_id(name))
        was = None if before is None else before.role.value
        note_here(database, "set user", user_id(name), before=was, after=role.value)
    return 0


def remove_user(name: str, /, *, state_dir: StateDirOption = DEFAULT_STATE_DIR) -> int:
    """Remove a user, and end their sessions."""
    users = PasswordFile(state_dir / PASSWORD_FILE)
    if not users.remove(name):
        known = ", ".join(sorted(users.users())) or "none"
        raise UsageError(f"user {name!r} does not exist: the users are {known}")
    with AccessDatabase.open_or_make(state_dir) as database:
        database.end_sessions(user_id(name))
        note_here(database, "remove user", user_id(name))
    return 0


def list_users(*, state_dir: StateDirOption = DEFAULT_STATE_DIR) -> int:
    """List the users and their roles."""
    users = PasswordFile(state_dir / PASSWORD_FILE).users()
    lines = [f"{user.name}  {user.role.value}" for user in users.values()]
    write_list(sorted(lines), "there are no users: `pycurrent user add NAME` makes one")
    return 0


def create_token(
    name: str,
    /,
    *,
    role: RoleOption,
    expires_in: Annotated[
        DurationOption | None, Parameter(help="Not valid any more after 90d, 12h, 4w ...")
    ] = None,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> int:
    """Make a token, and print it: it can't be shown again, as only its hash is stored."""
    token, now = new_token(), datetime.now(UTC)
    try:
        expires = None if expires_in is None else now + expires_in
    except OverflowError:
        expires = None
    record = TokenRecord(check_name(name), role.value, now, expires, None)
    with AccessDatabase.open_or_make(state_dir) as database:
        if not database.add_token(record, digest_of(token)):
            raise UsageError(
                f"there is a token {name!r} already: give this one another name, or revoke that"
            )
        note_here(database, "make token", f"token:{name}", after=role.value)
    sys.stdout.write(f"{token}\n")
    return 0


def list_tokens(*, state_dir: StateDirOption = DEFAULT_STATE_DIR) -> int:
    """List the tokens: name, role, when they were made and last used, and when they expire."""
    with AccessDatabase.open_or_make(state_dir) as database:
        tokens = database.tokens()
    nothing = "there are no tokens: `pycurrent token create NAME` makes one"
    write_list([_line(token) for token in tokens], nothing)
    return 0


def revoke_token(name: str, /, *, state_dir: StateDirOption = DEFAULT_STATE_DIR) -> int:
    """Make a token invalid, at once and for good."""
    with AccessDatabase.open_or_make(state_dir) as database:
        if not database.remove_token(name):
            known = ", ".join(token.name for token in database.tokens()) or "none"
            raise UsageError(f"token {name!r} does not exist: the tokens are {known}")
        note_here(database, "revoke token", f"token:{name}")
    return 0


def _ask() -> str:
    """The password, typed twice."""
    try:
        password = getpass.getpass("Password: ")
        again = getpass.getpass("Once more: ")
    except EOFError:
        raise UsageError("no password was given: type it, or use --password-stdin") from None
    if password != again:
        raise UsageError("the two passwords differ")
    return password


def _line(token: TokenRecord) -> str:
    used = "never used" if token.used is None else f"last used {token.used:%Y-%m-%d}"
    expires = "" if token.expires is None else f"  expires {local_time(token.expires)}"
    made = f"made {local_time(token.created)}"
    return f"{token.name}  {token.role}  {made}  {used}{expires}"
