"""Experiments: which variant is better, decided by evidence from live traffic."""
