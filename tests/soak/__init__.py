"""Hours of mixed work in minutes: no wrong answer, nothing that grows."""
