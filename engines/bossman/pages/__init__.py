"""The page at /bossman/: the dashboard for people, rendered here, without a build step."""
