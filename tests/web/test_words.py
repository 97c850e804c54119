"""One state has one word: on pages, in the terminal, on badges."""

import pytest

from pycurrent.cli.client.formatting import state_word
from pycurrent.engine import JobState
from pycurrent.term import State
from pycurrent.view.formatting import job_word
from pycurrent.web.api.names import name_of
from pycurrent.web.pages import state_badges


@pytest.mark.parametrize("state", State)
def test_pages_and_the_terminal_have_the_same_word(state: State) -> None:
    """The client reads it from the name that the API has; two states never share a word."""
    word = state.short_word
    assert state_badges.OF_STATE[state].word == word
    assert state_word(name_of(state)) == word
    assert [other for other in State if other.short_word == word] == [state]
    assert state.word.startswith(word)


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.ENDED])
def test_a_job_is_called_as_its_stage_is(state: JobState) -> None:
    """If both have the state; what only jobs have is called otherwise."""
    words = {name_of(one): one.short_word for one in State} | {"queued": "queued"}
    known = words.get(name_of(state))
    assert job_word(state) == known or (known is None and job_word(state) not in words.values())
