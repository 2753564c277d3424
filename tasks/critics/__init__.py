"""How critics are asked, and how what they write is read: shared by stages, search and training."""
