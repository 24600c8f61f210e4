"""Faults under steady load: what the client sees, and that nothing else breaks. `docs/failures.md` tells of them."""
