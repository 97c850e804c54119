"""Selects the jobs whose reports are asked for, as conditions of SQL."""

from pycurrent.store.records import storable, time_text
from pycurrent.store.test_cases import TestFilters
from pycurrent.store.use_filter import UseFilter


def report_condition(filters: TestFilters, table: str) -> tuple[str, dict[str, object]]:
    """The condition on a row of a `table` with one row for each `job` that has reported, joined to
    that, and its values.
    """
    uses = UseFilter(filters.get("path"), filters.get("labels", ()))
    conditions, values = [], dict[str, object]()
    if (op := filters.get("op")) is not None:
        conditions.append("job.op = :op")
        values["op"] = storable(op)
    if (since := filters.get("since")) is not None:
        conditions.append(f"{table}.at >= :since")
        values["since"] = time_text(since)
    if (used := uses.condition(f"{table}.job")) is not None:
        conditions.append(used)
        values |= uses.values
    return " AND ".join(conditions) or "TRUE", values
