"""What looks at the machine: doctor, perf."""
