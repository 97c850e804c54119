"""Random programs do what a naive evaluation says, and no more than they must."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pycurrent.incr import Budget

from ..effort import examples
from .machine import Machine
from .program import Outcome, Program, exchanges, programs

UNHURRIED = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def run(program: Program) -> None:
    """After each step all observed outcomes are those of an evaluation from scratch; each
    function was called at most once, only for a change, with inputs of this step, and only
    while needed; what nobody needs was released, once and at once.
    """
    machine = Machine(program)
    for step in program.steps:
        machine.run(step)
    machine.finish()


@settings(UNHURRIED, max_examples=examples(300))
@given(programs())
def test_a_random_program_is_kept_up_to_date_with_no_more_work_than_needed(
    program: Program,
) -> None:
    """Terms of all kinds, nested in each other, while inputs and observers come and go."""
    run(program)


@settings(UNHURRIED, max_examples=examples(300))
@given(exchanges())
def test_what_one_bind_leaves_and_another_takes_up_in_the_same_step_goes_on(
    program: Program,
) -> None:
    """Terms that lose their last user and are needed again in one step, at whatever height."""
    run(program)


def one_node_a_slice() -> Budget:
    return Budget(0, lambda: 0, most=1)


def run_in_slices(program: Program) -> None:
    """As `run`, with a pause after each node and each part of one; and in the first pause of a
    step the changes of the next one come, which none of its functions may see.
    """
    machine = Machine(program, one_node_a_slice())
    for step, following in zip(program.steps, [*program.steps[1:], None], strict=True):
        coming = [] if following is None else [following.changes]

        def between(coming: list[dict[str, Outcome]] = coming) -> None:
            if coming:
                machine.set(coming.pop())

        machine.run(step, between)
    machine.finish()


@settings(UNHURRIED, max_examples=examples(300))
@given(programs())
def test_a_random_program_runs_in_slices_as_it_does_in_one_go(program: Program) -> None:
    """Inputs that are set in between are shown by the next step only."""
    run_in_slices(program)


@settings(UNHURRIED, max_examples=examples(300))
@given(exchanges())
def test_what_is_left_and_taken_up_in_slices_goes_on(program: Program) -> None:
    """Terms that lose their last user, and find another one some slices later."""
    run_in_slices(program)


@settings(UNHURRIED, max_examples=examples(300))
@given(programs() | exchanges(), st.integers(1, 60))
def test_a_run_that_is_given_up_leaves_nothing_behind(program: Program, pauses: int) -> None:
    """In whatever slice the last step ends, all is released, and once, when it is dropped."""
    machine = Machine(program, one_node_a_slice())
    *before, last = program.steps
    for step in before:
        machine.run(step)
    machine.begin(last)
    for _ in range(pauses):
        if machine.graph.stabilise(machine.budget):
            break
    else:
        machine.graph.abandon()
    machine.finish()
