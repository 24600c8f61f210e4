"""Keep experiments, exposures, labels, counts, promotions and the audit log: all of the SQL."""
