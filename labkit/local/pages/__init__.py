"""labkit's own pages below ``/_labkit/``: health, log lines, events, inbox, live map."""
