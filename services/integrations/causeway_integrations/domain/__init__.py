"""What a job means and how an attempt is judged, as plain values. No I/O, no event loop, no clock."""
