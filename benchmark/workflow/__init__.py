"""What the Snakefile and its users ask of a study: files, resources, status, cost."""
