"""What the gateway keeps: experiments, exposures, labels, counts, promotions and the audit log."""
