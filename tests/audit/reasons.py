"""Why something may stay below 100 in Lighthouse: a sentence for an audit, or for a whole category, of a page."""

REASONS: dict[tuple[str, str], str] = {
    ("map", "target-size"): "At the height of Lighthouse's phone a row of the list of sections"
    " begins half under the bar with the main button; scrolled, as every row can be, it is 64 px high.",
}
"""(page, audit or category) and the sentence. One that nothing needs any more is reported, to be taken out."""
