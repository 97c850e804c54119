"""Lines of those who wait, against a sorted list."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.engine.line import WaitingLine


@dataclass(eq=False)
class Waits:
    ticket: int


def ticket(waits: Waits) -> int:
    return waits.ticket


ACTS = st.tuples(st.sampled_from(["add", "add", "add", "remove", "pop"]), st.integers(0, 9))


@given(st.lists(ACTS, min_size=20, max_size=40))
def test_a_line_is_sorted_by_tickets_however_it_is_used(acts: list[tuple[str, int]]) -> None:
    """Those with one ticket stand in the order in which they came; each has its place.

    There are more of them than one block of the line holds, also of those with one ticket.
    """
    line, model = WaitingLine(ticket, block=2), list[Waits]()
    for act, number in acts:
        if act == "add":
            waits = Waits(number)
            line.add(waits)
            model.append(waits)
            model.sort(key=ticket)
        elif model:
            waits = model.pop(0 if act == "pop" else number % len(model))
            if act == "pop":
                assert line.pop_first() is waits
            else:
                line.remove(waits)
        assert list(line) == model
        assert (len(line), bool(line)) == (len(model), bool(model))
        for place, waits in enumerate(model):
            assert line.index(waits.ticket, lambda other, it=waits: other is it) == place  # type: ignore[misc]
        for drawn in range(10):
            first = next((n for n, waits in enumerate(model) if waits.ticket == drawn), None)
            assert line.index(drawn, lambda _: True) == first


def test_one_who_does_not_stand_in_a_line_has_no_place_there() -> None:
    """With a ticket that somebody else has, or that nobody has; also where nobody waits."""
    waiting, empty = WaitingLine(ticket), WaitingLine(ticket)
    waiting.add(Waits(1))
    for line, stranger in ((waiting, Waits(1)), (waiting, Waits(2)), (empty, Waits(1))):
        assert line.index(stranger.ticket, lambda other, it=stranger: other is it) is None  # type: ignore[misc]
        with pytest.raises(ValueError, match="does not wait in this line"):
            line.remove(stranger)
