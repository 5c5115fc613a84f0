"""Executors: how jobs are spread over processes or machines."""
