"""`stepmill view`: the store in a browser. A page is a file in `pages/` and a template."""
