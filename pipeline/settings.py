"""Every setting, read from the environment in this one place and checked with a sentence.

An address that nobody sets falls back to the free local port that `make setup` wrote to
`$DATA_DIR/run.env`.
"""

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from ipaddress import ip_network
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from dotenv import dotenv_values

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
FAILPOINTS = frozenset({
    "begun", "locked", "held", "authorised", "committed", "placed", "undone",
    "relayed", "announced", "taken", "job", "drawn", "finished", "returned", "unlocked",
})  # fmt: skip
HSTS = f"max-age={365 * 86_400}"
SECRET_KEY_LETTERS_MIN = 32
PORT_MAX = 65_535
SOCKET_PATH_MAX = 100
"""The system allows 107 bytes for a socket file's path."""
SECRET_VARIETY_MIN = 10
"""Fewer different letters than this has no secret that a machine made."""


class SettingError(Exception):
    """A setting makes no sense; the text is one sentence that says what to do."""


@dataclass(frozen=True)
class Settings:
    """What the environment says. Ports are 0 where the address was given from outside."""

    data_dir: Path
    port: int
    database_url: str
    database_urls: Mapping[str, str]
    redis_url: str
    seatlock_url: str
    bank_url: str
    embedded_postgres: bool
    embedded_redis: bool
    own_bank: bool
    postgres_port: int
    postgres_password: str
    redis_port: int
    redis_password: str
    web_port: int
    updates_port: int
    seatlock_port: int
    bank_port: int
    public_url_given: str
    secret_key: str
    ticket_keys: str
    payments: str
    hold_seconds: int
    order_deadline_seconds: int
    oidc_issuer: str
    oidc_client_id: str
    oidc_client_secret: str
    oidc_scopes: str
    workers_min: int
    workers_max: int
    log_format: str
    failpoints: frozenset[str]
    rate_limits: bool
    trusted_proxies: tuple[str, ...]
    cors_origins: tuple[str, ...]

    @property
    def local_mode(self) -> bool:
        """No issuer is set, so the embedded identity provider runs."""
        return not self.oidc_issuer

    @property
    def reachable(self) -> bool:
        """Others than this machine can open our pages."""
        return urlsplit(self.public_url).hostname not in LOOPBACK

    @property
    def public_url(self) -> str:
        """Where buyers reach us, without a trailing slash.

        PUBLIC_URL, else the address that `front` wrote, else the one that it is going to write.
        """
        if self.public_url_given:
            return self.public_url_given
        return _address(self.data_dir, int(monotonic())) or f"http://localhost:{self.port}"

    @property
    def front_socket(self) -> Path | None:
        """Where `front` hears a tunnel of the same user; None where no such file can be."""
        path = self.data_dir / "front.sock"
        return path if len(os.fsencode(path)) <= SOCKET_PATH_MAX else None

    @property
    def over_https(self) -> bool:
        """Buyers reach us by https, so cookies are for https alone."""
        return self.public_url.startswith("https:")

    @property
    def hsts(self) -> str:
        """How long a browser shall reach this name by https alone; empty without https.

        Names below ours are not for us to decide on, so there is no includeSubDomains.
        """
        return HSTS if self.over_https else ""


@lru_cache(maxsize=1)
def _address(data_dir: Path, _second: int) -> str:
    """What `front` wrote, read again each second: it may be started on another PORT."""
    try:
        return (data_dir / "address").read_text().strip()
    except FileNotFoundError:
        return ""


def load(environ: Mapping[str, str]) -> Settings:  # noqa: C901  a list of checks, not a maze
    """Read and check all settings. Raises SettingError with a sentence for the first bad one."""
    data_dir = Path(environ.get("DATA_DIR") or ".data").absolute()
    prepared = file_values(data_dir / "run.env")

    def text(name: str, default: str = "") -> str:
        return environ.get(name) or prepared.get(name) or default

    def number(name: str, default: int, least: int, most: int) -> int:
        given = text(name, str(default))
        if not re.fullmatch(r"\d{1,9}", given) or not least <= int(given) <= most:
            raise SettingError(
                f"{name}={given} makes no sense: give a whole number from {least} to {most}."
            )
        return int(given)

    def port(name: str) -> int:
        return number(name, 0, 0, PORT_MAX)

    def url(name: str, default: str, schemes: tuple[str, ...]) -> str:
        given = text(name, default)
        if not _is_address(given, schemes):
            raise _refused(name, given, schemes)
        return given.rstrip("/")

    def one_of(name: str, default: str, choices: tuple[str, ...]) -> str:
        given = text(name, default)
        if given not in choices:
            raise SettingError(f"{name}={given} makes no sense: give one of {', '.join(choices)}.")
        return given

    def several_checked(name: str, fine: Callable[[str], bool], what: str) -> tuple[str, ...]:
        given = several(name)
        for one in given:
            if not fine(one):
                raise SettingError(f"{name}={one} makes no sense: give {what}.")
        return given

    def several(name: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in text(name).split(",") if part.strip())

    postgres_port, redis_port = port("POSTGRES_PORT"), port("REDIS_PORT")
    seatlock_port, bank_port = port("SEATLOCK_PORT"), port("BANK_PORT")
    database_url = url(
        "DATABASE_URL",
        f"postgresql://ticketbuster:{text('POSTGRES_PASSWORD')}@127.0.0.1:{postgres_port}/ticketbuster",
        ("postgresql", "postgres"),
    )
    issuer = text("OIDC_ISSUER") and url("OIDC_ISSUER", "", ("http", "https"))
    if issuer.startswith("http:") and urlsplit(issuer).hostname not in LOOPBACK:
        raise SettingError(
            f"OIDC_ISSUER={issuer} makes no sense: what it says must come over https."
        )
    payments = one_of("PAYMENTS", "simulated", ("simulated",))
    own_bank = not text("BANK_URL")
    if own_bank and issuer and not environ.get("PAYMENTS"):
        raise SettingError(
            "BANK_URL is not set: give the address of the bank, or PAYMENTS=simulated for a demo."
        )
    failpoints = frozenset(filter(None, text("FAILPOINT").split(",")))
    if failpoints and (issuer or not failpoints <= FAILPOINTS):
        known = ", ".join(sorted(FAILPOINTS))
        said = text("FAILPOINT")
        raise SettingError(
            f"FAILPOINT={said} makes no sense: it is for tests in local mode ({known})."
        )
    public_url = text("PUBLIC_URL") and _origin(url("PUBLIC_URL", "", ("http", "https")))
    limits = one_of("RATE_LIMITS", "on", ("on", "off")) == "on"
    if not limits and (issuer or (public_url and urlsplit(public_url).hostname not in LOOPBACK)):
        raise SettingError(
            "RATE_LIMITS=off is for local tests only: leave it out where others can reach you."
        )
    seatlock_url = text("SEATLOCK_URL", f"127.0.0.1:{seatlock_port}")
    if text("SEATLOCK_URL") and not _is_grpc_address(seatlock_url):
        raise SettingError(
            f"SEATLOCK_URL={seatlock_url} makes no sense:"
            " give host:port, as in 127.0.0.1:7000, or unix:path."
        )
    secret_key = text("SECRET_KEY")
    client_secret = text("OIDC_CLIENT_SECRET")
    _check_secrets(issuer, secret_key, client_secret)
    workers_min = number("WORKERS_MIN", 1, 1, 64)
    return Settings(
        data_dir=data_dir,
        port=number("PORT", 8000, 1, PORT_MAX),
        database_url=database_url,
        database_urls={
            role: url(f"DATABASE_URL_{role.upper()}", "", ("postgresql", "postgres"))
            for role in ("seatlock", "pipeline", "web")
            if text(f"DATABASE_URL_{role.upper()}")
        },
        redis_url=url(
            "REDIS_URL",
            f"redis://:{text('REDIS_PASSWORD')}@127.0.0.1:{redis_port}/0",
            ("redis", "rediss", "unix"),
        ),
        seatlock_url=seatlock_url,
        bank_url=url("BANK_URL", f"http://127.0.0.1:{bank_port}", ("http", "https")),
        embedded_postgres=not text("DATABASE_URL"),
        embedded_redis=not text("REDIS_URL"),
        own_bank=own_bank,
        postgres_port=postgres_port,
        postgres_password=text("POSTGRES_PASSWORD"),
        redis_port=redis_port,
        redis_password=text("REDIS_PASSWORD"),
        web_port=port("WEB_PORT"),
        updates_port=port("UPDATES_PORT"),
        seatlock_port=seatlock_port,
        bank_port=bank_port,
        public_url_given=public_url,
        secret_key=secret_key,
        ticket_keys=text("TICKET_KEYS", str(data_dir / "ticket-keys.json")),
        payments=payments,
        hold_seconds=number("HOLD_SECONDS", 600, 1, 86_400),
        order_deadline_seconds=number("ORDER_DEADLINE_SECONDS", 3600, 1, 604_800),
        oidc_issuer=issuer,
        oidc_client_id=text("OIDC_CLIENT_ID", "ticketbuster"),
        oidc_client_secret=client_secret,
        oidc_scopes=text("OIDC_SCOPES", "openid profile email"),
        workers_min=workers_min,
        workers_max=number("WORKERS_MAX", max(2, workers_min), workers_min, 64),
        log_format=one_of("LOG_FORMAT", "text", ("text", "json")),
        failpoints=failpoints,
        rate_limits=limits,
        trusted_proxies=several_checked(
            "TRUSTED_PROXIES", _is_network, "addresses or networks, as in 10.0.0.0/8, never all"
        ),
        cors_origins=several_checked(
            "CORS_ORIGINS", _is_origin, "origins, as in https://partner.example, never *"
        ),
    )


def _check_secrets(issuer: str, secret_key: str, client_secret: str) -> None:
    """Raises SettingError for a secret that is none; a public client has no secret at all."""
    if secret_key and len(secret_key) < SECRET_KEY_LETTERS_MIN:
        raise SettingError(
            f"SECRET_KEY is too short to be secret: give at least {SECRET_KEY_LETTERS_MIN} letters."
        )
    if client_secret.startswith("${"):
        raise SettingError(
            "OIDC_CLIENT_SECRET is a placeholder that nobody replaced: give the secret itself."
        )
    for name, secret in (
        ("SECRET_KEY", secret_key),
        ("OIDC_CLIENT_SECRET", issuer and client_secret),
    ):
        if secret and len(set(secret)) < SECRET_VARIETY_MIN:
            raise SettingError(
                f"{name} is easily guessed: take what `openssl rand -base64 32` prints."
            )


def _origin(address: str) -> str:
    """PUBLIC_URL as browsers say it in Origin. Raises SettingError where it is more than that."""
    parts = urlsplit(address)
    said = re.fullmatch(r"([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?", parts.netloc.lower())
    if not said or parts.path or parts.query or parts.fragment:
        raise SettingError(
            "PUBLIC_URL makes no sense: give scheme, name and port alone, as in https://example.org."
        )
    usual = said[2] == (":443" if parts.scheme == "https" else ":80")
    return f"{parts.scheme}://{said[1]}{'' if usual else said[2] or ''}"


def _refused(name: str, given: str, schemes: tuple[str, ...]) -> SettingError:
    do = "give an address that begins with " + " or ".join(f"{one}://…" for one in schemes)
    scheme = given.partition("://")[0]
    if scheme in schemes and scheme != given:
        do = (
            f"give a whole address, as in {scheme}://{'/path' if scheme == 'unix' else 'host:1234'}"
        )
        # What follows may be a password, cut off or not, and no business of a terminal or a log.
        given = f"{scheme}://…"
    shown = re.sub(r":[^:@]*@", ":…@", given)
    return SettingError(f"{name}={shown} makes no sense: {do}.")


def _is_address(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
        # Postgres may be given several hosts, each with its port.
        if not parts.scheme.startswith("postgres"):
            _ = parts.port
    except ValueError:
        return False
    if parts.scheme == "unix":
        return "unix" in schemes and bool(parts.path)
    return parts.scheme in schemes and bool(parts.hostname)


def _is_grpc_address(text: str) -> bool:
    """A name that gRPC understands; without its port gRPC would take 443."""
    if re.fullmatch(r"unix(?:-abstract)?:.+", text):
        return True
    said = re.fullmatch(r"(?:dns:(?://[^/]*/)?)?(?:[\w.-]+|\[[\da-fA-F:.]+\]):(\d{1,5})", text)
    return said is not None and 0 < int(said[1]) <= PORT_MAX


def _is_network(text: str) -> bool:
    try:
        return ip_network(text, strict=False).prefixlen > 0
    except ValueError:
        return False


def _is_origin(text: str) -> bool:
    if not _is_address(text, ("http", "https")):
        return False
    parts = urlsplit(text)
    return text == f"{parts.scheme}://{parts.netloc}" and "@" not in text and "*" not in text


@cache
def settings() -> Settings:
    """This process's settings, read once; the environment wins over `.env`.

    A setting that makes no sense ends the process with its sentence: no restart would cure that.
    """
    try:
        return load({**file_values(Path(".env")), **os.environ})
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(os.EX_CONFIG) from error


def require_secret() -> None:
    """For whoever seals and signs: without SECRET_KEY the process ends, with a sentence."""
    if not settings().secret_key:
        sys.stderr.write(
            "SECRET_KEY is not set: give all processes what `openssl rand -base64 32` prints.\n"
        )
        raise SystemExit(os.EX_CONFIG)


def file_values(path: Path) -> dict[str, str]:
    """NAME=value lines of a file; nothing where there is none. Raises SettingError."""
    try:
        return {name: value or "" for name, value in dotenv_values(path).items()}
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise SettingError(
            f"{path} cannot be read ({why}): mend it or its owner, or move it away."
        ) from error
