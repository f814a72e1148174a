"""One tenant over HTTP: session, retries, errors from responses, cached listings, safe writes."""
