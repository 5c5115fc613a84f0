"""The leaderboard: static pages from records."""
