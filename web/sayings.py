"""What is said of an event's kind, an order's state and every refusal; to be translated."""


def N_(text: str) -> str:  # noqa: N802  gettext's own name for a text that is translated later
    """Mark a text for the catalogues."""
    return text


CATEGORIES = {
    "CONCERT": N_("Concierto"),
    "THEATER": N_("Teatro"),
    "SPORTS": N_("Deporte"),
    "FESTIVAL": N_("Festival"),
    "CONFERENCE": N_("Charla"),
    "OTHER": N_("Otros"),
}

REFUSALS: dict[str, tuple[str, str]] = {
    "bad_request": (
        N_("No se entiende"),
        N_("Lo que llegó no se puede leer. Vuelve atrás y prueba otra vez."),
    ),
    "unauthenticated": (
        N_("Falta tu sesión"),
        N_("Tu sesión terminó. Inicia sesión y sigue donde estabas."),
    ),
    "forbidden": (
        N_("No es para tu cuenta"),
        N_("Esta página pide un permiso que tu cuenta no tiene."),
    ),
    "cross_site": (
        N_("Esto vino de otro sitio"),
        N_("Por tu seguridad no hicimos nada. Ábrelo aquí y prueba otra vez."),
    ),
    "other_account": (
        N_("Esto era de otra cuenta"),
        N_("Lo empezó otra cuenta en este navegador. No hicimos nada: entra con ella y sigue."),
    ),
    "not_found": (N_("No está aquí"), N_("Esta página no existe, o no es tuya.")),
    "event_not_found": (
        N_("Ese evento no está"),
        N_("No hay ningún evento en esta dirección. Mira la cartelera."),
    ),
    "section_not_found": (
        N_("Ese sector no está"),
        N_("El evento no tiene un sector con ese número. Mira el plano."),
    ),
    "method_not_allowed": (
        N_("Así no se puede"),
        N_("Esta dirección no acepta lo que se le pidió."),
    ),
    "too_large": (N_("Demasiado largo"), N_("Lo que llegó es más grande de lo que aceptamos.")),
    "unsupported_type": (N_("No se entiende"), N_("Lo que llegó no tiene la forma esperada.")),
    "invalid_parameter": (
        N_("La dirección no cuadra"),
        N_("Algo en la dirección no tiene sentido. Empieza desde la cartelera."),
    ),
    "invalid_seats": (
        N_("Revisa los asientos"),
        N_("Alguno de esos asientos no es de este evento. Elige otra vez en el plano."),
    ),
    "session_needed": (
        N_("Hace falta una cookie"),
        N_("Para apartar asientos hace falta una cookie. Permítela y prueba otra vez."),
    ),
    "seat_unavailable": (
        N_("Ya no está libre"),
        N_("Alguien se llevó uno de esos asientos. No se reservó ni se cobró nada."),
    ),
    "too_many_seats": (
        N_("Son demasiados"),
        N_("Con tus entradas pasarías del máximo de este evento. No se cobró nada."),
    ),
    "not_on_sale": (N_("No está a la venta"), N_("La venta de este evento está cerrada.")),
    "sold_out": (N_("Agotado"), N_("Si alguien suelta un asiento, aparece aquí al instante.")),
    "hold_expired": (
        N_("Se acabó el tiempo"),
        N_("Soltamos tus asientos. Elige otra vez: no se cobró nada."),
    ),
    "price_changed": (
        N_("El precio cambió"),
        N_("El total que viste ya no vale. No se cobró nada: revísalo y confirma."),
    ),
    "invalid_payment": (
        N_("Falta la tarjeta"),
        N_("Escribe el número de una tarjeta. No se cobró nada."),
    ),
    "method_over": (
        N_("Escribe tu tarjeta"),
        N_("La tarjeta guardada ya no sirve: se usó, o pasó un día. No se cobró nada."),
    ),
    "invalid_total": (
        N_("Vuelve a la compra"),
        N_("El formulario llegó incompleto. No se cobró nada."),
    ),
    "idempotency_key_needed": (
        N_("Vuelve a la compra"),
        N_("El formulario llegó incompleto. No se cobró nada."),
    ),
    "payment_declined": (
        N_("El banco dijo no"),
        N_("Tus asientos siguen tuyos. Prueba otra tarjeta."),
    ),
    "insufficient_funds": (
        N_("Sin fondos"),
        N_("El banco dice que no alcanza. Tus asientos siguen tuyos: prueba otra tarjeta."),
    ),
    "in_progress": (
        N_("Sigue en marcha"),
        N_("Tu compra todavía se está haciendo. Espera un momento y mira otra vez."),
    ),
    "not_cancellable": (N_("Ya no se puede anular"), N_("La compra ya no se puede anular.")),
    "idempotency_key_reused": (
        N_("Compra repetida"),
        N_("Ese formulario ya se usó para otra compra. Empieza de nuevo."),
    ),
    "too_many_requests": (N_("Vas muy rápido"), N_("Espera un momento y prueba otra vez.")),
    "busy": (
        N_("Ahora no podemos"),
        N_(
            "No se cobró nada, y lo que tenías sigue como estaba. Prueba otra vez en unos segundos."
        ),
    ),
    "internal_error": (
        N_("Algo falló aquí"),
        N_("El fallo es nuestro y ya quedó anotado. Prueba otra vez."),
    ),
}


STATUSES = {
    "PENDING": N_("Pagada"),
    "PROCESSING": N_("Dibujando"),
    "COMPLETED": N_("A punto"),
    "FAILED": N_("No pudo ser"),
    "CANCELLED": N_("Anulada"),
}
REASONS = {
    "payment_declined": N_("El banco no dejó cobrar."),
    "discarded": N_("No pudimos terminar tu compra."),
    "not_finished_in_time": N_("No logramos dibujar tus entradas a tiempo."),
}
OUR_FAULT = N_("El fallo es nuestro.")
