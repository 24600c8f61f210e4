"""Attacks on a running gateway: made-up requests, damaged images, bombs, and one for each known weakness."""
