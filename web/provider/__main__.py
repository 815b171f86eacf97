"""`python -m web.provider prepare | token EMAIL | tokens N`: accounts and tokens for local use."""

import sys
from collections.abc import Sequence

from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from pipeline.settings import settings
from web.provider import keys, users
from web.provider.grants import token_for

TOKEN_S = 3_600
TOKENS_MAX = 100_000


def _demo_passwords() -> str:
    """Where others can reach us, the demo accounts have passwords of their own: these."""
    if not settings().reachable:
        return ""
    accounts = [(email, users.demo_password(email)) for email, *_ in users.DEMO]
    lines = "".join(f"    {email}  {password}\n" for email, password in accounts)
    return (
        f"  others can reach {settings().public_url}, so the demo accounts' passwords are\n{lines}"
    )


def main(arguments: Sequence[str]) -> str:
    """What to print. Raises SystemExit with a sentence."""
    if not settings().local_mode:
        sys.exit("OIDC_ISSUER is set: accounts and tokens are the business of that provider.")
    match arguments:
        case ["prepare"]:
            keys.ensure()
            users.add_demo()
            return _demo_passwords()
        case ["token", email]:
            user = users.with_email(email)
            if user is None:
                sys.exit(f"Nobody here has the address {email}; try ana@example.com.")
            return token_for(user, TOKEN_S) + "\n"
        case ["tokens", count] if count.isdigit() and 1 <= int(count) <= TOKENS_MAX:
            return "".join(token_for(one, TOKEN_S) + "\n" for one in users.load_buyers(int(count)))
        case _:
            sys.exit("Say `token EMAIL=ana@example.com` or `tokens N=1000`.")


if __name__ == "__main__":
    try:
        sys.stdout.write(main(sys.argv[1:]))
    except (OperationalError, PoolTimeout):
        sys.exit("Postgres does not answer: is `make run` running from this DATA_DIR?")
