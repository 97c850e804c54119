"""For pycurrent: `true`, 1,000 times, 8 at once."""

import pycurrent as current
from pycurrent import Current, Job, Level, Pool

AT_ONCE = Pool("at once", 8)


@current.builder("true", level=Level.HARMLESS, pool=AT_ONCE)
async def true(job: Job, number: int) -> None:
    await job.exec(["/bin/true"])


def pipeline() -> Current[None]:
    return current.all([true(number) for number in range(1000)])
