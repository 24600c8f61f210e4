"""The gateway under load, beside what people would write instead."""
