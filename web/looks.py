"""What the server draws for the templates: filled titles and posters."""

from typing import Any

from flask import Flask
from markupsafe import Markup

from pipeline.settings import settings
from web import posters
from web.assets import asset
from web.seats import schema_org
from web.timeline import timeline
from web.wood_type import SIZE_MAX, fill

PHONE_SLOT, DESK_SLOT, TICKET_SLOT = 36.0, 20.0, 40.0


def filled(title: str, slot: float = PHONE_SLOT) -> Markup:
    """A title whose lines reach both margins, at any width of the screen and with any font."""
    setting = fill(title, slot)
    lines = []
    for line in setting.lines:
        # Only a line that was capped stays short; the others are held to both margins.
        full = line.size < SIZE_MAX
        reach = Markup(' textLength="100" lengthAdjust="spacingAndGlyphs"') if full else ""
        lines.append(
            Markup('<text y="{}" font-size="{}" class="w{}"{}>{}</text>').format(
                line.y, line.size, line.width, reach, line.text
            )
        )
    return Markup('<svg class="filled" viewBox="0 0 100 {}" aria-hidden="true">{}</svg>').format(
        setting.height, Markup("").join(lines)
    )


def poster(event: Any, pasted: int = 0) -> Markup:
    """An event's poster, to be sliced by whatever holds it; `pasted` numbers copies in a row."""
    drawn = posters.svg(event.id, event.category, event.title, pasted)
    return Markup(  # noqa: S704  numbers and colours of ours, no text
        '<svg viewBox="0 0 160 160" preserveAspectRatio="xMidYMid slice" aria-hidden="true">'
        f"{drawn}</svg>"
    )


def register(app: Flask) -> None:
    """Give them to the templates."""
    app.jinja_env.filters.update(filled=filled, poster=poster)
    app.jinja_env.filters.update(schema_org=schema_org, timeline=timeline)
    app.jinja_env.globals["asset"] = asset
    app.jinja_env.globals["public_url"] = settings().public_url
    app.jinja_env.globals.update(DESK_SLOT=DESK_SLOT, TICKET_SLOT=TICKET_SLOT)
