"""Finds jobs by the stages that have used them, in SQL: for histories and for lists of failures."""

from collections.abc import Sequence

from pycurrent.store.label_filter import (
    LabelFilter,
    all_pass,
    beginning,
    is_glob,
    matches,
    sqlite_glob,
)
from pycurrent.store.records import storable
from pycurrent.store.uses import UseRecord


class UseFilter:
    """Conditions on one stage that has used a job: its path, or a glob; its labels then.

    A job that no stage has used counts as used by one without labels, if no path is asked for.
    """

    def __init__(self, path: str | None, labels: Sequence[LabelFilter]) -> None:
        self._given_path = path
        self._given_labels = labels
        self.values: dict[str, object] = {}
        """The parameters of the conditions that were asked for."""

    def passes(self, uses: Sequence[UseRecord]) -> bool:
        """True if a job with these uses passes."""
        path, labels = self._given_path, self._given_labels
        if not uses:
            return path is None and all_pass(labels, {})
        return any(
            (path is None or matches(use.stage, path)) and all_pass(labels, use.read_labels())
            for use in uses
        )

    def condition(self, job: str) -> str | None:
        """The condition on a job, given by the expression for its `seq`; None if all jobs pass."""
        path, labels = self._given_path, self._given_labels
        if path is None and not labels:
            return None
        conditions = [f"job_use.job = {job}", *map(self._label, range(len(labels)))]
        if path is not None:
            conditions.append(self._path(path))
        used = (
            "EXISTS (SELECT 1 FROM job_use INDEXED BY job_use_job"
            " CROSS JOIN stage ON stage.id = job_use.stage"
            f" WHERE {' AND '.join(conditions)})"
        )
        if path is None and all_pass(labels, {}):
            return f"({used} OR NOT EXISTS (SELECT 1 FROM job_use WHERE job_use.job = {job}))"
        return used

    def found(self) -> str | None:
        """The uses with a path or a label, as one index finds them; None if none does."""
        plain = [c for c in self._given_labels if not c.is_not]
        exact = [c for c in plain if not is_glob(c.value)]
        path = self._given_path
        if path is not None and not (is_glob(path) and exact):
            return (
                "FROM stage CROSS JOIN job_use INDEXED BY job_use_stage"
                f" ON job_use.stage = stage.id WHERE {self._path(path)}"
            )
        for condition in exact or plain:
            self.values |= {"use_name": condition.name, "use_value": storable(condition.value)}
            if not is_glob(condition.value):
                match = "value = :use_value"
            else:
                start = storable(beginning(condition.value))
                self.values |= {"use_start": start, "use_glob": sqlite_glob(condition.value)}
                match = (
                    "value >= :use_start AND value < :use_start || char(0x10FFFF)"
                    " AND (value = :use_value OR value GLOB :use_glob)"
                )
            return (
                "FROM label CROSS JOIN job_use INDEXED BY job_use_labels"
                f' ON job_use.labels = label."set" WHERE name = :use_name AND {match}'
            )
        return None

    def _path(self, path: str) -> str:
        """The condition that a stage has the path that is wanted."""
        self.values["path"] = storable(path)
        if not is_glob(path):
            return "stage.path = :path"
        self.values["path_glob"] = storable(sqlite_glob(path))
        self.values["path_start"] = storable(beginning(path))
        return (
            "stage.path >= :path_start AND stage.path < :path_start || char(0x10FFFF)"
            " AND (stage.path = :path OR stage.path GLOB :path_glob)"
        )

    def _label(self, number: int) -> str:
        """The condition that a use has, or has not, a label."""
        condition = self._given_labels[number]
        name, value, glob = f"name_{number}", f"value_{number}", f"glob_{number}"
        self.values |= {name: storable(condition.name), value: storable(condition.value)}
        if is_glob(condition.value):
            self.values[glob] = storable(sqlite_glob(condition.value))
            found = (
                "EXISTS (SELECT 1 FROM label_set JOIN json_each(label_set.labels) AS one"
                f" WHERE label_set.id = job_use.labels AND one.key = :{name}"
                f" AND (one.value = :{value} OR one.value GLOB :{glob}))"
            )
        else:
            found = (
                f"EXISTS (SELECT 1 FROM label WHERE name = :{name} AND value = :{value}"
                ' AND label."set" = job_use.labels)'
            )
        return f"NOT {found}" if condition.is_not else found
