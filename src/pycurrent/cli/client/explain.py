"""All that explains a job."""

from __future__ import annotations

from pycurrent.cli.client.answers import ExplanationAnswer
from pycurrent.cli.client.find import find_job
from pycurrent.cli.client.jobs import JobText
from pycurrent.cli.client.remote import job_path
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit


def explain(job: JobText, /, *, session: Given) -> int:
    """`pycurrent client explain`."""
    path = job_path(find_job(session.remote, job), "/explain")
    answer: ExplanationAnswer = session.remote.get(path)
    session.say(answer, answer["text"])
    return ClientExit.OK
