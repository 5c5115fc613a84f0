"""How long OpenMP threads wait for each other before they sleep."""

from __future__ import annotations

# Threads that spin on are a hundred times slower where cores are shared, threads that never spin
# lose a third of a small batch's time to waking up. This many rounds are about 30 us.
SPINNING = {"GOMP_SPINCOUNT": "2000"}
