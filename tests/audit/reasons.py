"""Why something may stay below 100 in Lighthouse: a sentence for an audit, or for a whole category, of a page."""

REASONS: dict[tuple[str, str], str] = {}
"""(page, audit or category) and the sentence. One that nothing needs any more is reported, to be taken out."""
