"""The page of the live map. What it shows is drawn by ``live_map.js``, from what ``/_labkit/events`` tells."""

from __future__ import annotations

from pathlib import Path

from labkit.local.api_call import HttpResponse
from labkit.local.pages.inbox_page import page

POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; img-src data:"
CONTENT = """<div id="live-map"><noscript>The live map needs JavaScript; the same is told by <code>labkit status</code>.
</noscript></div><script type="module" src="map.js"></script>"""
WIDE = "<style>main { max-width: none; padding: 1rem; }</style>"


def map_page() -> HttpResponse:
    """Return the page; it holds nothing secret, since the events need the token."""
    content = page("Live map", WIDE + CONTENT).encode()
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
    return HttpResponse(200, content, headers)


def map_module() -> HttpResponse:
    """Return the module that draws the map, on the page and in the notebook's widget."""
    content = Path(__file__).with_name("live_map.js").read_bytes()
    headers = {"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": "no-cache"}
    return HttpResponse(200, content, headers)
