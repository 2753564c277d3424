"""What runs inside the sandbox when programs are graded; the standard library only."""
