"""Batching: requests that arrive together run as one."""
