"""What an app declares and what a change proposes, as plain values. No I/O, no event loop, no clock."""
