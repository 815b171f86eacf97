"""The poster as a picture for link previews: the same shapes, drawn by Pillow."""

import io

from PIL import Image, ImageChops, ImageDraw

from web.posters import Poster, poster
from web.posters.shapes import SIDE, Area, Disc, Ring, Shape, Slice, Stroke

WIDTH, HEIGHT = 1200, 630
FINER = 2
"""Drawn so many times larger and made smaller, for smooth edges."""


def png(event_id: int, category: str, title: str) -> bytes:
    """Two copies side by side, as bills are pasted, 1200 x 630."""
    wall = Image.new("RGB", (WIDTH, HEIGHT))
    for copy in range(2):
        sheet = _sheet(poster(event_id, category, title, copy + 1))
        wall.paste(sheet.resize((HEIGHT, HEIGHT)), (copy * HEIGHT, 0))
    file = io.BytesIO()
    wall.quantize(64).save(file, "PNG", optimize=True)
    return file.getvalue()


def _sheet(drawn: Poster) -> Image.Image:
    side = HEIGHT * FINER
    sheet = Image.new("RGB", (side, side), drawn.colours["ground"])
    for shape in drawn.shapes:
        colour = drawn.colours[shape.ink]
        if shape.ink != "over":
            _draw(ImageDraw.Draw(sheet), shape, colour, side / SIDE)
            continue
        # Overprinted: on paper what lies below darkens it, on ink it lightens.
        neutral = "black" if drawn.dark else "white"
        layer = Image.new("RGB", sheet.size, neutral)
        _draw(ImageDraw.Draw(layer), shape, colour, side / SIDE)
        blend = ImageChops.screen if drawn.dark else ImageChops.multiply
        sheet = blend(sheet, layer)
    return sheet


def _draw(on: ImageDraw.ImageDraw, shape: Shape, colour: str, scale: float) -> None:
    match shape:
        case Disc(_, x, y, radius):
            on.ellipse(_round(x, y, radius, scale), fill=colour)
        case Ring(_, x, y, radius, width):
            outer = _round(x, y, radius + width / 2, scale)
            on.ellipse(outer, outline=colour, width=max(1, round(width * scale)))
        case Slice(_, x, y, radius, begin, end):
            on.pieslice(_round(x, y, radius, scale), begin, end, fill=colour)
        case Area(_, points):
            on.polygon([(x * scale, y * scale) for x, y in points], fill=colour)
        case Stroke(_, points, width):
            line = [(x * scale, y * scale) for x, y in points]
            on.line(line, fill=colour, width=round(width * scale), joint="curve")


def _round(x: float, y: float, radius: float, scale: float) -> tuple[float, float, float, float]:
    return (
        (x - radius) * scale,
        (y - radius) * scale,
        (x + radius) * scale,
        (y + radius) * scale,
    )
