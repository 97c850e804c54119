"""Answers of a forge that are older than what it has told already."""

from datetime import timedelta

import pytest

from pycurrent.plugins.forge.staleness import RefsAnswers
from pycurrent.plugins.forge.values import Branch, Change, Move, Ref, Repository, Tag
from pycurrent.testing import VirtualClock

from .model import sha

WEB = Repository("https://example.org", "1", "octo/web", "", "", "main")
MAIN = "refs/heads/main"


def main(number: int) -> tuple[Ref, ...]:
    """The branch, at a commit."""
    return (Branch(WEB, "main", sha(number)),)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def answers(clock: VirtualClock) -> RefsAnswers:
    """After a first answer: main is at 1."""
    made = RefsAnswers(clock)
    assert made.take(main(1)) == main(1)
    return made


def test_a_ref_that_moves_on_is_shown(answers: RefsAnswers) -> None:
    """At once, also one that is new, and one that goes."""
    for refs in (main(2), (), (*main(3), Branch(WEB, "dev", sha(1)))):
        assert answers.take(refs) == refs
        assert not answers.is_old


def test_one_old_answer_does_not_take_a_ref_back(answers: RefsAnswers) -> None:
    """It is read again, and what is shown stays."""
    answers.take(main(2))
    assert answers.take(main(1)) == main(2)
    assert answers.is_old
    assert answers.take(main(2)) == main(2)
    assert not answers.is_old


def test_a_second_answer_takes_a_ref_back(answers: RefsAnswers) -> None:
    """Somebody has forced it."""
    answers.take(main(2))
    answers.take(main(1))
    assert answers.take(main(1)) == main(1)
    assert not answers.is_old


def test_a_delivery_takes_a_ref_back_at_once(answers: RefsAnswers) -> None:
    """It is no doubt that this answer is a new one."""
    answers.take(main(2))
    answers.tell([Move(MAIN, sha(2), sha(1))])
    assert answers.take(main(1)) == main(1)
    assert not answers.is_old


def test_a_ref_that_was_made_is_not_lost_by_an_old_answer(answers: RefsAnswers) -> None:
    """Nor does one come back that was removed; the order stays that of kinds."""
    tag, change = Tag(WEB, "v1", sha(1)), change_of(7)
    answers.take((*main(1), tag, change))
    assert answers.take((*main(1), tag)) == (*main(1), tag, change)
    assert answers.take((*main(1), change)) == (*main(1), tag, change)
    answers.take((*main(1), change))
    assert answers.take((*main(1), tag, change)) == (*main(1), change)


def test_what_was_long_ago_is_no_reason_to_doubt(answers: RefsAnswers, clock: VirtualClock) -> None:
    """No replica lags behind for ten minutes."""
    answers.take(main(2))
    clock.move(timedelta(minutes=10))
    assert answers.take(main(1)) == main(1)


def test_an_answer_that_does_not_show_a_move_is_old(answers: RefsAnswers) -> None:
    """Until one shows it, or something newer."""
    answers.tell([Move(MAIN, sha(1), sha(2)), Move("refs/heads/dev", None, sha(3))])
    assert answers.take(main(1)) == main(1)
    assert answers.is_old
    answers.take((*main(9), Branch(WEB, "dev", sha(3))))
    assert not answers.is_old


def test_a_move_that_never_shows_is_given_up(answers: RefsAnswers) -> None:
    """Deliveries may be late, and a ref may have gone back since."""
    answers.tell([Move(MAIN, sha(1), sha(2))])
    answers.take(main(1))
    answers.give_up()
    assert not answers.is_old


def change_of(number: int) -> Change:
    ref = f"refs/pull/{number}/head"
    return Change(WEB, number, ref, sha(number), "", "ann", "main", WEB.path, "do", "")
