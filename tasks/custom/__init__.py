"""Questions of your own."""
