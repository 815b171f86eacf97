"""The only folder that speaks HTTP to people and API clients: it reads, pipeline writes."""
