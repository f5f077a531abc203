"""Whose fault an error of the database is: what comes again, what one record is to blame for, and what is ours."""

import asyncpg
import pytest

from tabiji_common.postgres import is_data_error, is_transient

LATER = (
    asyncpg.ConnectionFailureError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.StatementCompletionUnknownError,
    asyncpg.DiskFullError,
    asyncpg.OutOfMemoryError,
    asyncpg.TooManyConnectionsError,
    asyncpg.QueryCanceledError,
    asyncpg.AdminShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InvalidCachedStatementError,
    ConnectionResetError,
)
BLAMED = (
    asyncpg.DataError,
    asyncpg.NumericValueOutOfRangeError,
    asyncpg.CheckViolationError,
    asyncpg.UniqueViolationError,
)
OURS = (asyncpg.PostgresSyntaxError, asyncpg.UndefinedColumnError, asyncpg.InsufficientPrivilegeError, KeyError)


@pytest.mark.parametrize("kind", [*LATER, *BLAMED, *OURS], ids=lambda kind: kind.__name__)
def test_an_error_is_of_one_kind(kind: type[BaseException]) -> None:
    error = kind("why")
    assert (is_transient(error), is_data_error(error)) == (kind in LATER, kind in BLAMED)
