"""What cannot move by itself, read from the account so that somebody can build it again on the other side."""
