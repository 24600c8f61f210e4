"""Attacks on a running gateway: made-up requests, damaged images, bombs."""
