"""What runs inside the sandbox: standard library only, read as text and never imported here."""
