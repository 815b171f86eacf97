"""A local run on a public address, through Cloudflare's tunnel."""
