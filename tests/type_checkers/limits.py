# pyright: strict, reportUnusedFunction=false
"""Where the plugin for mypy knows more than a type can say.

"plugin" marks a mistake that only the plugin sees, "plain" what only the plugin lets pass.
"""

from .right import count, deploy, join, number, raw, text

# Currents by keyword.
count(text=text)  # plain
count(text, least=number)  # plain
join(text, right=raw)  # plain
join(left="a", right=raw, third=number)  # plain

# Values of a publisher of which some are currents.
deploy("here", version=text, notes="new")  # plain
deploy("here")  # plugin
deploy(text, versoin=text)  # plugin
deploy(text, version=number)  # plugin

# Calls with a name.
join(text, name="other")  # plugin
count(text, lest=4, name="other")  # plugin
