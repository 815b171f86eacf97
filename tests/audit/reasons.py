"""Why something may stay below 100 in Lighthouse: a sentence for an audit, or for a whole category, of a page."""

_SLOW_MACHINE = (
    "What is left is the browser's own first layout of posters, plan or seats, and htmx reading the page."
    " Lighthouse slows the processor 4 times whatever it is: where its index of the machine's speed is 1,600 or"
    " more it blocks for 50 to 100 ms (99 to 100), where that is about 1,050 for twice as long (96 to 99)."
)
REASONS: dict[tuple[str, str], str] = {
    (page, "performance"): _SLOW_MACHINE for page in ("list", "map", "section")
}
"""(page, audit or category) and the sentence. One that nothing needs any more is reported, to be taken out."""
