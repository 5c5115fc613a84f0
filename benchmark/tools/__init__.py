"""Tools: doctor and perf for the machine, and scripts for published records."""
