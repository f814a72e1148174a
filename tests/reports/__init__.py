"""Reports word by word, beside texts that somebody has read."""
