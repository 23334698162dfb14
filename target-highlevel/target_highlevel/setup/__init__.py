"""What must be in the sub-account before records are: fields, options, objects, associations, users, calendars."""
