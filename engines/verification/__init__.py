"""What is stored, judged again from scratch; and the export of what may be trained on."""
