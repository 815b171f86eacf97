"""A new account at the embedded provider: what is wrong with a field is said beside it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from web.inputs import is_name
from web.provider.users import LETTERS_MAX
from web.sayings import N_

ADDRESS = r"[!-?A-~]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+"
PASSWORD_LETTERS_MIN = 8

NAME = N_("Escribe tu nombre, como debe leerse en tus entradas")
EMAIL = N_("Escribe un correo, como ana@ejemplo.pe")
TAKEN = N_("Ya hay una cuenta con ese correo: entra con su contraseña")
PASSWORD = N_("Elige una contraseña de 8 letras o más")
PASSWORD_LONG = N_("Tu contraseña puede tener hasta 200 letras")


@dataclass(frozen=True)
class Applicant:
    """Who wants an account."""

    name: str
    email: str
    password: str


def read_applicant(form: Mapping[str, str]) -> tuple[Applicant, dict[str, str]]:
    """Who it is, and by field what is wrong with it: nothing, if there can be such an account."""
    name = " ".join(form.get("name", "").split())
    email = form.get("email", "").strip().lower()
    password = form.get("password", "")
    wrong = {
        "name": "" if is_name(name) else NAME,
        "email": "" if _is_address(email) else EMAIL,
        "password": _password(password),
    }
    return Applicant(name, email, password), {field: text for field, text in wrong.items() if text}


def _is_address(email: str) -> bool:
    return len(email) <= LETTERS_MAX and bool(re.fullmatch(ADDRESS, email, re.ASCII))


def _password(password: str) -> str:
    if len(password) > LETTERS_MAX:
        return PASSWORD_LONG
    return "" if len(password) >= PASSWORD_LETTERS_MIN else PASSWORD
