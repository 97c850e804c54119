"""Slack: messages that are posted, or edited in place, while the pipeline runs."""

from pycurrent.plugins.slack.channel import Channel, Webhook
from pycurrent.plugins.slack.client import Posted
from pycurrent.plugins.slack.message import Message, escape
from pycurrent.plugins.slack.post import post
from pycurrent.plugins.slack.update import update

__all__ = ["Channel", "Message", "Posted", "Webhook", "escape", "post", "update"]
