"""The one address: Caddy in front of web and updates."""
