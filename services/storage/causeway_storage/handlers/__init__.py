"""What storage does when it is asked, and what it does on its own: one file per family."""
