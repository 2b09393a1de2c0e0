"""Pages of Google's console."""

CONSOLE = "https://console.cloud.google.com/vertex-ai/locations"
"""Start of the address of everything that Vertex AI shows, by location."""
