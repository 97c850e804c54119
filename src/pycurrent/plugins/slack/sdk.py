"""What others have written, for `pycurrent[slack]`: imported here only, to say so if it is missing.

UsageError is raised by the import of this plugin; the rest of pycurrent does without.
"""

from pycurrent.errors import UsageError

try:
    import aiohttp
    from slack_sdk.errors import SlackApiError
    from slack_sdk.web.async_client import AsyncWebClient
    from slack_sdk.webhook.async_client import AsyncWebhookClient
except ModuleNotFoundError as error:
    package = (error.name or "a package").partition(".")[0]
    raise UsageError(
        f'messages to Slack need {package}, which is missing: pip install "pycurrent[slack]"'
    ) from error

__all__ = ["AsyncWebClient", "AsyncWebhookClient", "SlackApiError", "aiohttp"]
