"""Singer tap for Cliniko: every resource, read without losing a row."""
