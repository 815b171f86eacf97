"""The card form: each field is read as people type it, and what is wrong is said beside it.

Only the number goes to the bank. Expiry, code and name are looked at and forgotten.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime

from pipeline.payments import CARD_DIGITS_MIN, valid_card
from web.inputs import is_name
from web.sayings import N_

NUMBER = r"[\d \u00a0\-]*"
EXPIRY = r"(\d{1,2})\s*[/\-. ]?\s*(?:20)?(\d{2})"
CODE = r"\d{3,4}"

WRONG = {
    "card_number": N_("Ese número no es válido: revisa las cifras"),
    "card_expiry": N_("Escribe mes y año, como 09 / 28"),
    "card_code": N_("Son las 3 o 4 cifras del reverso"),
    "card_name": N_("Escribe el nombre que está en la tarjeta"),
}
"""What is said beside a field whose text has not its form, by the pages' script, too."""
SHORT = N_("Faltan cifras: suelen ser 16")
PAST = N_("Ya venció: revisa el año")


def read_card(form: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The card's number, and by field what is wrong with it: nothing, if it can be tried."""
    wrong = {
        "card_number": _number(form.get("card_number", "")),
        "card_expiry": _expiry(form.get("card_expiry", "").strip(), datetime.now(UTC).date()),
        "card_code": _has_form(CODE, form.get("card_code", ""), "card_code"),
        "card_name": "" if is_name(form.get("card_name", "").strip()) else WRONG["card_name"],
    }
    number = valid_card(form.get("card_number", "")) or ""
    return number, {field: text for field, text in wrong.items() if text}


def _number(text: str) -> str:
    if valid_card(text):
        return ""
    digits = sum(letter.isdigit() for letter in text)
    short = re.fullmatch(NUMBER, text, re.ASCII) and 0 < digits < CARD_DIGITS_MIN
    return SHORT if short else WRONG["card_number"]


def _expiry(text: str, today: date) -> str:
    """A card is good to the end of its month, wherever on earth that is today."""
    found = re.fullmatch(EXPIRY, text, re.ASCII)
    month = int(found[1]) if found else 0
    if not found or not 1 <= month <= 12:
        return WRONG["card_expiry"]
    return PAST if (2000 + int(found[2]), month) < (today.year, today.month) else ""


def _has_form(form: str, text: str, field: str) -> str:
    return "" if re.fullmatch(form, text.strip(), re.ASCII) else WRONG[field]
