"""What attacks on a running gateway are made of."""
