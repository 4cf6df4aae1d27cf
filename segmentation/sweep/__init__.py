"""Many trainings as child processes, with files as their state; launchers do the scheduling."""
