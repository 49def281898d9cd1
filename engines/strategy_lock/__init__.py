"""Strategy locks: approved permissions that other engines ask for before they write."""
