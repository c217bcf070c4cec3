"""Text from users and models, made safe for a plotly figure."""

from __future__ import annotations

import html


def plain(text: object) -> str:
    """`text` such that plotly shows every character of it and obeys none.

    Plotly reads a small HTML (`<b>`, `<br>`, `<a href>`) and `%{...}` templates in titles, names, labels and hover
    texts. Pass through here whatever a person or a model wrote: passages, prompts, names, generated words. Markup
    that the figure itself wants, such as a `<br>` between two plain texts, stays outside the call.
    """
    return html.escape(str(text), quote=False).replace("%{", "%&#123;")
