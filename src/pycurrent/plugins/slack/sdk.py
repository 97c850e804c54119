"""The packages of `pycurrent[slack]`. Only this module imports them.

If one is missing, importing this plugin raises UsageError; the rest of pycurrent works without.
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
