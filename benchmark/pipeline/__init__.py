"""From a suite to records: plan, unlearn, measure, write."""
