"""Suites: the arms of each study and how their members are trained."""
