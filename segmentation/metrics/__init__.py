"""One formula for each score, and the counts it is made of; no files, no intervals."""
