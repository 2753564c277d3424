"""Step labels: after which steps can a solution still end right?"""
