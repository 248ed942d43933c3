"""DNP3 peers that nobody here wrote, and tshark as the judge between them and us."""
