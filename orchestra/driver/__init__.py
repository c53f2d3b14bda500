"""The worlds that containers can live in. They do not know each other; each keeps the contract of ``engine.driver``."""
