"""Random programs do what a naive evaluation says, and no more than they must."""

from hypothesis import HealthCheck, given, settings

from .machine import Machine
from .program import Program, exchanges, programs

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


@settings(UNHURRIED, max_examples=300)
@given(programs())
def test_a_random_program_is_kept_up_to_date_with_no_more_work_than_needed(
    program: Program,
) -> None:
    """Terms of all kinds, nested in each other, while inputs and observers come and go."""
    run(program)


@settings(UNHURRIED, max_examples=300)
@given(exchanges())
def test_what_one_bind_leaves_and_another_takes_up_in_the_same_step_goes_on(
    program: Program,
) -> None:
    """Terms that lose their last user and are needed again in one step, at whatever height."""
    run(program)
