"""Control access: API keys and tokens, rates, admission, proxies, CORS and security headers."""
