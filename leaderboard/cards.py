"""The card of a task as HTML: Markdown with tables, but without raw HTML, pictures, or links to
files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

TASKS = Path(__file__).resolve().parents[1] / "tasks"
MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


@dataclass(frozen=True)
class Card:
    """A card's first heading, as HTML and as text, all that stands below it, and what its table
    says of the data's licence, empty for data that are made here, and of the task's version.
    """

    title: Markup
    plain_title: str
    body: Markup
    licence: str = ""
    version: str = ""

    @property
    def summary(self) -> str:
        """What the title says after the task's name and a colon, all of it where there is no
        colon.
        """
        return self.plain_title.partition(": ")[2] or self.plain_title


def card_of(task: str, folder: Path = TASKS) -> Card | None:
    """The card of a task; None if it has none, as tasks from elsewhere, whatever their names
    look like.
    """
    path = folder / task / "card.md"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", task) or not path.is_file():
        return None
    return rendered(path.read_text(encoding="utf-8"), task)


def rendered(text: str, task: str) -> Card:
    """The card as written in Markdown, without its comments; without a heading, its title is the
    task's name.
    """
    tokens = MARKDOWN.parse(re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL))
    for token in tokens:
        token.children = _without_loads(token.children) if token.children else token.children
    if [token.type for token in tokens[:2]] != ["heading_open", "inline"] or tokens[0].tag != "h1":
        return Card(Markup.escape(task), task, _html(tokens))
    title = tokens[1]
    plain = "".join(child.content for child in title.children or [])
    said = dict(re.findall(r"^\| (licence|version) \| (.+) \|$", text, flags=re.MULTILINE))
    return Card(_html([title]), plain, _html(tokens[3:]), **said)


def _html(tokens: Sequence[Token]) -> Markup:
    html = MARKDOWN.renderer.render(tokens, MARKDOWN.options, {})
    for scrolled in ("pre", "table"):  # by keyboard too
        html = html.replace(f"<{scrolled}>", f'<{scrolled} tabindex="0">')
    return Markup(html)  # raw HTML is disabled above


def _without_loads(tokens: Sequence[Token]) -> list[Token]:
    """Pictures as their descriptions; of links only those to the web: a file of the repository
    is no page here.
    """
    shown, dropped = [], False
    for token in tokens:
        if token.type == "image":
            shown.append(Token("text", "", 0, content=token.content))
        elif token.type == "link_open":
            dropped = not re.match(r"https?://", str(token.attrGet("href")))
            shown += [] if dropped else [token]
        elif token.type != "link_close" or not dropped:
            shown.append(token)
    return shown
