"""Webhooks: tell a receiver of yours about verdicts, alarms and changes of the default variant."""
